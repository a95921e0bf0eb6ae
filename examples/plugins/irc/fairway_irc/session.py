"""The translation of one connection. Pure."""

from collections.abc import Iterator

from fairway import kit
from fairway_irc import lines
from fairway_irc.config import Irc

Steps = Iterator[kit.Step]


class Session(kit.StreamMapping[Irc]):
    """Signs on, then is in channels; everything that is said becomes events."""

    def __init__(self, config: Irc) -> None:
        super().__init__(config)
        self.nick = self.user = ""
        self.place = ""  # where the client is heard: a channel, or empty for its nick
        self.channels: list[str] = []
        # Whether a consumer was asked to accept, whether it did, whether we sent PING.
        self.asked = self.welcome = self.pinged = False
        self.rest = b""
        self.deadline: float | None = None

    # What happens on the connection.

    def opened(self, now: float) -> list[kit.Step]:
        """Give it time to sign on."""
        self.deadline = now + self.config.sign_on
        return []

    def received(self, data: bytes, now: float) -> list[kit.Step]:
        """Take whole lines; while a consumer decides, they wait."""
        self.rest += data
        if self.welcome:
            self.pinged, self.deadline = False, now + self.config.idle
        return list(self._take())

    def reply(self, content: kit.Content, now: float) -> list[kit.Step]:
        """Welcome or refuse the client, then write a text."""
        if content.get("accept") is False:
            return list(self._end("Access denied"))
        steps: list[kit.Step] = []
        if not self.welcome and (content.get("accept") or "text" in content):
            self.welcome, self.deadline = True, now + self.config.idle
            steps += self._greet()
        if "text" in content:
            steps += self._say(content)
        if content.get("close"):
            steps += self._end("Goodbye")
        else:
            steps += self._take()
        return steps

    def refused(self, channel: str, why: kit.Refusal, now: float) -> list[kit.Step]:
        """Tell the client that the site did not hear it."""
        if channel == "irc.connect":
            return list(self._end(f"Try again later ({why})"))
        return [self._number("NOTICE", text=f"The site did not get this ({why})")]

    def closed(self, now: float) -> list[kit.Step]:
        """Say that the client has gone, if anybody knew that it was there."""
        return [kit.Emit("irc.disconnect", {})] if self.asked else []

    def next_deadline(self) -> float | None:
        """Return when silence has lasted too long."""
        return self.deadline

    def deadline_passed(self, now: float) -> list[kit.Step]:
        """Ask a silent client whether it is there, and let go of one that is not."""
        if self.pinged or not self.welcome:
            return list(self._end("Ping timeout" if self.pinged else "Sign-on timeout"))
        self.pinged, self.deadline = True, now + self.config.idle
        return [kit.Write(f"PING :{self.config.name}\r\n".encode())]

    # Lines of the client.

    def _take(self) -> Steps:
        *whole, self.rest = self.rest.split(b"\n")
        for at, line in enumerate(whole):
            if self.asked and not self.welcome:
                self.rest = b"\n".join([*whole[at:], self.rest])
                break
            if len(line) > self.config.longest:
                raise kit.RemoteProtocolError("the line is too long")
            for step in self._obey(*lines.parse(line)):
                yield step
                if isinstance(step, kit.Hangup):
                    return
        if len(self.rest) > self.config.longest:
            raise kit.RemoteProtocolError("the line is too long")

    def _obey(self, command: str, params: list[str]) -> Steps:
        match command, params:
            case ("", _) | ("PONG" | "NOTICE", _) | ("CAP", ["END", *_]):
                pass  # nobody answers these
            case "CAP", ["LS", *_]:  # there are no extensions
                yield self._number("CAP", "LS", text="")
            case "NICK", [nick, *_]:
                yield from self._name(nick)
            case "USER", [user, _, _, _, *_] if not self.user:
                self.user = user if lines.is_nick(user) else "user"
                yield from self._signed_on()
            case "USER", [_, _, _, _, *_]:
                yield self._number("462", text="You may not reregister")
            case "PING", [token, *_]:
                name = self.config.name
                yield kit.Write(lines.compose(name, "PONG", name, text=token))
            case "QUIT", _:
                yield from self._end("Quit")
            case _ if not self.welcome:
                yield self._number("451", text="You have not registered")
            case "JOIN", [names, *_]:
                for name in names.lower().split(","):
                    yield from self._join(name)
            case "PART", [names, *_]:
                for name in names.lower().split(","):
                    yield from self._part(name)
            case "PRIVMSG", [target, text, *_]:
                yield from self._hear(target.lower(), text)
            case "MODE", [target, *_]:  # clients ask both after each JOIN
                yield self._number("324", target, text="+")
            case "WHO", [target, *_]:
                yield self._number("315", target, text="End of WHO list")
            case "NICK" | "USER" | "PING" | "JOIN" | "PART" | "PRIVMSG", _:
                yield self._number("461", command, text="Not enough parameters")
            case _:
                yield self._number("421", command, text="Unknown command")

    def _name(self, nick: str) -> Steps:
        if not lines.is_nick(nick):
            yield self._number("432", nick, text="Erroneous nickname")
        elif nick.lower() == self.config.nick.lower():
            yield self._number("433", nick, text="Nickname is already in use")
        else:
            if self.welcome:
                yield self._echo("NICK", nick)
            self.nick = nick
            yield from self._signed_on()

    def _signed_on(self) -> Steps:
        if self.nick and self.user and not self.asked:
            self.asked = True
            yield kit.Emit("irc.connect", {"nick": self.nick, "user": self.user})

    def _join(self, name: str) -> Steps:
        if not lines.is_channel(name):
            yield self._number("403", name, text="No such channel")
        elif len(self.channels) >= self.config.channels:
            yield self._number("405", name, text="You are in too many channels")
        elif name not in self.channels:
            self.channels.append(name)
            self.place = name
            yield self._echo("JOIN", name)
            nicks = f"{self.nick} {self.config.nick}"
            yield self._number("353", "=", name, text=nicks)
            yield self._number("366", name, text="End of NAMES list")
            yield kit.Emit("irc.join", {"target": name})

    def _part(self, name: str) -> Steps:
        if name not in self.channels:
            yield self._number("442", name, text="You are not on that channel")
        else:
            self.channels.remove(name)
            self.place = self.channels[-1] if self.channels else ""
            yield self._echo("PART", name)
            yield kit.Emit("irc.part", {"target": name})

    def _hear(self, target: str, text: str) -> Steps:
        if target not in (*self.channels, self.config.nick.lower()):
            yield self._number("401", target, text="No such nick or channel")
        else:
            self.place = target if target in self.channels else ""
            content = {"text": text, "target": target, "nick": self.nick}
            yield kit.Emit("irc.receive", content)

    # Lines of the site.

    def _greet(self) -> Steps:
        yield self._number("001", text=f"Welcome, {self.nick}")
        yield self._number("002", text=f"Your host is {self.config.name}")
        yield self._number("003", text="It speaks for a site behind it")
        yield self._number("004", self.config.name, "fairway", "o", "o", text="")
        yield self._number("422", text="No message of the day")

    def _say(self, content: kit.Content) -> Steps:
        text, nick = content["text"], content.get("nick", self.config.nick)
        target = content.get("target") or self.place or self.nick
        is_place = target == self.nick or lines.is_channel(target)
        if not (is_place and lines.is_nick(nick)):
            raise kit.LocalProtocolError(f"{nick!r} cannot write to {target!r}")
        sender = f"{nick}!{nick}@{self.config.name}"
        for line in lines.compose_all(sender, "PRIVMSG", target, text=text):
            yield kit.Write(line)

    def _end(self, reason: str) -> Steps:
        self.deadline, self.rest = None, b""
        yield kit.Write(f"ERROR :Closing Link: {reason}\r\n".encode())
        yield kit.Hangup(reason)

    def _number(self, number: str, *words: str, text: str) -> kit.Write:
        told = (number, self.nick or "*", *words)
        return kit.Write(lines.compose(self.config.name, *told, text=text))

    def _echo(self, command: str, name: str) -> kit.Write:
        sender = f"{self.nick}!{self.user}@{self.config.name}"
        return kit.Write(lines.compose(sender, command, text=name))


class IrcProtocol(kit.StreamProtocol[Irc]):
    """Runs a session for each connection."""

    mapping = Session
