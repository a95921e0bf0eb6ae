"""A complete plugin: lines of text over TCP."""

from fairway import kit

Steps = list[kit.Step]


class Lines(kit.Config, frozen=True, kw_only=True):
    bind: tuple[str, ...] = ("tcp:7000:interface=127.0.0.1",)
    longest: int = 65_536


class Session(kit.StreamMapping[Lines]):
    rest = b""

    def opened(self, now: float) -> Steps:
        return [kit.Emit("lines.connect", {})]

    def received(self, data: bytes, now: float) -> Steps:
        *lines, self.rest = (self.rest + data).split(b"\n")
        if len(self.rest) > self.config.longest:
            raise kit.RemoteProtocolError("the line is too long")
        texts = [line.decode(errors="replace") for line in lines]
        return [kit.Emit("lines.receive", {"text": text}) for text in texts]

    def reply(self, content: kit.Content, now: float) -> Steps:
        text, close = content.get("text"), content.get("close")
        written: Steps = [] if text is None else [kit.Write(f"{text}\n".encode())]
        return [*written, kit.Hangup()] if close else written

    def closed(self, now: float) -> Steps:
        return [kit.Emit("lines.disconnect", {})]


class LinesProtocol(kit.StreamProtocol[Lines]):
    mapping = Session


@kit.hookimpl
def fairway_protocols() -> list[kit.ProtocolSpec]:
    keys = {"connect": {}, "receive": {"text": str}, "disconnect": {}}
    events = [kit.Event(channel=f"lines.{k}", keys=v) for k, v in keys.items()]
    path = {"twisted": f"{__name__}:LinesProtocol"}
    replies = {"text": str, "accept": bool, "close": bool}
    lines = kit.ProtocolSpec(
        name="lines",
        config=Lines,
        events=tuple(events),
        replies=replies,
        peers="owned",
        ordering="peer",
        transports=path,
    )
    return [lines]
