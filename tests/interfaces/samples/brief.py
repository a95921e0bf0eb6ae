"""Lines of text over TCP with little patience; says on the wire what it is told."""

from fairway import kit

PATIENCE = 0.3


class Brief(kit.Config, frozen=True, kw_only=True):
    bind: tuple[str, ...] = ("tcp:0:interface=127.0.0.1",)


class Session(kit.StreamMapping[Brief]):
    rest = b""

    def received(self, data: bytes, now: float) -> list[kit.Step]:
        *lines, self.rest = (self.rest + data).split(b"\n")
        return [kit.Emit("brief.receive", {"text": line.decode()}) for line in lines]

    def reply(self, content: kit.Content, now: float) -> list[kit.Step]:
        if content.get("fail"):
            raise ValueError("a bug")
        return [kit.Write(f"{content['text']}\n".encode())]

    def refused(self, channel: str, why: kit.Refusal, now: float) -> list[kit.Step]:
        return [kit.Write(f"refused: {why}\n".encode())]

    def closed(self, now: float) -> list[kit.Step]:
        return [kit.Emit("brief.disconnect", {})]


class BriefProtocol(kit.StreamProtocol[Brief]):
    mapping = Session

    def __init__(self, config: Brief, host: kit.Host) -> None:
        super().__init__(config, host)
        self.holds: list[bool] = []
        self.forwards: list[kit.Content] = []

    def hold(self, peer: kit.Peer, reading: bool) -> None:
        self.holds.append(reading)
        super().hold(peer, reading)

    def forwarded(self, peer: kit.Peer, content: kit.Content) -> None:
        self.forwards.append(content)


@kit.hookimpl
def fairway_protocols() -> list[kit.ProtocolSpec]:
    return [
        kit.ProtocolSpec(
            name="brief",
            config=Brief,
            events=(
                kit.Event(
                    channel="brief.receive", keys={"text": str}, patience=PATIENCE
                ),
                kit.Event(channel="brief.disconnect", patience=PATIENCE),
            ),
            replies={"text": str, "fail": bool},
            peers="owned",
            ordering="peer",
            transports={"twisted": f"{__name__}:BriefProtocol"},
        )
    ]
