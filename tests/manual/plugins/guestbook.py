"""A line protocol with a login, as a plugin: the worked example of the manual."""

from collections.abc import Sequence
from enum import Enum, auto

from fairway import kit


class Section(kit.Config, frozen=True, kw_only=True):
    """The plugin's section in the settings."""

    bind: tuple[str, ...] = ("tcp:7000:interface=127.0.0.1",)
    """Twisted endpoint strings to listen on."""
    longest: int = 8_192
    """Bytes of a line, and of what waits while a login is looked at."""
    login_time: float = 10.0
    """Seconds in which a client must log in, and a consumer decide about it."""
    idle: float = 300.0
    """Seconds of silence after which a client is hung up on."""


SPEC = kit.ProtocolSpec(
    name="guestbook",
    summary="Lines of text over TCP, after a login.",
    config=Section,
    events=(
        kit.Event(
            channel="guestbook.connect",
            keys={"user": str, "password": str},
            summary="Somebody wants to log in; accept or refuse them.",
        ),
        kit.Event(channel="guestbook.receive", keys={"text": str}, capacity=10_000),
        kit.Event(channel="guestbook.disconnect", capacity=10_000),
    ),
    replies={"text": str, "accept": bool, "close": bool},
    peers="owned",
    ordering="peer",
    failure={"text": "ERR the server made a mistake", "close": True},
    unrouted={"accept": False},
    transports={"twisted": f"{__name__}:Protocol"},
)


class Stage(Enum):
    """How far a client has come."""

    NEW = auto()
    ASKED = auto()
    INSIDE = auto()


class Session(kit.StreamMapping[Section]):
    """One connection: `LOGIN <user> <password>`, then lines."""

    def __init__(self, config: Section) -> None:
        super().__init__(config)
        self._stage = Stage.NEW
        self._rest = b""
        self._since = 0.0

    def opened(self, now: float) -> Sequence[kit.Step]:
        self._since = now
        return [kit.Write(b"HELLO\n")]

    def received(self, data: bytes, now: float) -> Sequence[kit.Step]:
        if self._stage is Stage.INSIDE:
            self._since = now
        self._rest += data
        return self._read(now)

    def _read(self, now: float) -> Sequence[kit.Step]:
        steps: list[kit.Step] = []
        # What comes while a consumer looks at the login waits for its answer.
        while self._stage is not Stage.ASKED and b"\n" in self._rest:
            line, _, self._rest = self._rest.partition(b"\n")
            if len(line) > self.config.longest:
                return [*steps, *_broken("the line is too long")]
            try:
                steps.append(self._line(line.removesuffix(b"\r").decode(), now))
            except (UnicodeDecodeError, ValueError):
                return [*steps, *_broken("that is no line of this protocol")]
        if len(self._rest) > self.config.longest:
            return [*steps, *_broken("the line is too long")]
        return steps

    def _line(self, text: str, now: float) -> kit.Step:
        if self._stage is Stage.INSIDE:
            return kit.Emit("guestbook.receive", {"text": text})
        verb, user, password = text.split(" ")
        if verb != "LOGIN":
            raise ValueError("a login comes first")
        self._stage, self._since = Stage.ASKED, now
        return kit.Emit("guestbook.connect", {"user": user, "password": password})

    def reply(self, content: kit.Content, now: float) -> Sequence[kit.Step]:
        accept, text = content.get("accept"), content.get("text")
        if text is not None and "\n" in text:
            raise kit.LocalProtocolError("a line cannot hold a line feed")
        steps: list[kit.Step] = []
        if self._stage is Stage.ASKED and accept is False:
            return [kit.Write(b"ERR you are not known\n"), kit.Hangup("refused")]
        let_in = self._stage is Stage.ASKED and (accept or text is not None)
        if let_in:
            self._stage, self._since = Stage.INSIDE, now
            steps.append(kit.Write(b"OK\n"))
        if text is not None:
            steps.append(kit.Write(f"{text}\n".encode()))
        if content.get("close"):
            return [*steps, kit.Hangup()]
        return [*steps, *self._read(now)] if let_in else steps

    def refused(self, channel: str, why: kit.Refusal, now: float) -> Sequence[kit.Step]:
        return [kit.Write(f"ERR come back later: {why}\n".encode()), kit.Hangup(why)]

    def closed(self, now: float) -> Sequence[kit.Step]:
        known = self._stage is not Stage.NEW
        return [kit.Emit("guestbook.disconnect", {})] if known else []

    def next_deadline(self) -> float:
        inside = self._stage is Stage.INSIDE
        return self._since + (self.config.idle if inside else self.config.login_time)

    def deadline_passed(self, now: float) -> Sequence[kit.Step]:
        return [kit.Write(b"ERR too slow\n"), kit.Hangup("too slow")]


def _broken(reason: str) -> Sequence[kit.Step]:
    answer = kit.Write(f"ERR {reason}\n".encode())
    return [kit.Invalid(reason), answer, kit.Hangup(reason)]


class Protocol(kit.StreamProtocol[Section]):
    """Runs a session for each connection."""

    mapping = Session


@kit.hookimpl
def fairway_protocols() -> Sequence[kit.ProtocolSpec]:
    return (SPEC,)
