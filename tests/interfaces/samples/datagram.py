"""Datagrams in, datagrams out."""

from fairway import kit


class Datagram(kit.Config, frozen=True, kw_only=True):
    bind: tuple[str, ...] = ("udp:127.0.0.1:0",)


class Mapping(kit.DatagramMapping[Datagram]):
    def received(self, data: bytes, now: float) -> list[kit.Step]:
        if data == b"wrong":
            raise kit.RemoteProtocolError("a wrong datagram")
        if data == b"bug":
            raise ValueError("a bug")
        return [kit.Emit("datagram.receive", {"bytes": data})]

    def reply(self, content: kit.Content, now: float) -> list[kit.Step]:
        return [kit.Write(content["bytes"])] if "bytes" in content else []


class DatagramProtocol(kit.DatagramProtocol[Datagram]):
    mapping = Mapping


@kit.hookimpl
def fairway_protocols() -> list[kit.ProtocolSpec]:
    receive = kit.Event(channel="datagram.receive", keys={"bytes": bytes}, patience=0.0)
    return [
        kit.ProtocolSpec(
            name="datagram",
            config=Datagram,
            events=(receive,),
            replies={"bytes": bytes},
            peers="owned",
            ordering="none",
            transports={"twisted": f"{__name__}:DatagramProtocol"},
        )
    ]
