"""IRC, without sockets: the conformance suite, and what a line leads to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fairway.core.drops import Drop
from fairway.core.plugin.host import Refusal
from fairway.core.plugin.loading import Plugins, import_path
from fairway.core.settings import read_settings
from fairway.testing.plugin import PluginConformance
from fairway.testing.recording import RecordingHost
from fairway.testing.recording_wire import RecordingStream

pytestmark = [pytest.mark.standard, pytest.mark.usefixtures("enabled")]

SIGN_ON = b"NICK ada\r\nUSER ada 0 * :Ada\r\n"
TALK = b"JOIN #Tea\r\nPRIVMSG #tea :hello\r\nPING 1\r\nPART #tea\r\nQUIT\r\n"


class TestIrcConformance(PluginConformance):
    plugin = "irc"
    wire = SIGN_ON + b"PING 1\r\n"
    bad_wire = (b"x" * 5_000, b"x" * 5_000 + b"\r\n", SIGN_ON + b"x" * 5_000)

    async def converse(self, host: RecordingHost) -> None:
        stream = host.connect()
        stream.feed(SIGN_ON)
        host.deliver({"accept": True})
        stream.feed(TALK)
        stream.hang_up()


class Client:
    """A client on a recording stream, welcome unless the test says otherwise."""

    def __init__(self, host: RecordingHost, *, welcome: bool = True) -> None:
        self.host = host
        self.stream: RecordingStream = host.connect()
        if welcome:
            self.say(SIGN_ON.decode())
            host.deliver({"accept": True})
            self.heard()

    def say(self, text: str) -> None:
        self.stream.feed(text.encode())

    def heard(self) -> list[str]:
        """Return the lines that were written since the last call."""
        written = self.stream.written.decode().split("\r\n")[:-1]
        self._seen, seen = len(written), getattr(self, "_seen", 0)
        return written[seen:]


def play(act: Callable[[RecordingHost], None], **section: Any) -> RecordingHost:
    """Start the plugin on a recording host and let `act` use it."""
    loaded = Plugins(read_settings({"PLUGINS": {"irc": section}})).protocols["irc"]
    host = RecordingHost()

    async def run() -> None:
        made = import_path(loaded.spec.transports["twisted"])
        await host.serve(made, loaded.config, loaded.spec).start()
        act(host)

    asyncio.run(run())
    return host


def test_nobody_gets_on_before_a_consumer_accepts() -> None:
    def act(host: RecordingHost) -> None:
        client = Client(host, welcome=False)
        client.say("JOIN #tea\r\n")
        assert client.heard() == [":irc.fairway 451 * :You have not registered"]
        client.say(SIGN_ON.decode() + TALK.decode())
        assert host.channels == ["irc.connect"]
        assert client.heard() == []

        host.deliver({"accept": True})
        assert [line.split()[1] for line in client.heard()[:6]] == [
            *("001", "002", "003", "004", "422"),
            "JOIN",
        ]
        assert client.stream.closed

    host = play(act)

    assert host.contents("irc.connect") == [{"nick": "ada", "user": "ada"}]
    assert host.contents("irc.join") == [{"target": "#tea"}]
    assert host.contents("irc.receive") == [
        {"text": "hello", "target": "#tea", "nick": "ada"}
    ]


def test_a_refused_client_is_told_and_does_nothing() -> None:
    def act(host: RecordingHost) -> None:
        client = Client(host, welcome=False)
        client.say(SIGN_ON.decode() + "JOIN #tea\r\n")
        host.deliver({"accept": False})
        assert client.heard() == ["ERROR :Closing Link: Access denied"]
        assert client.stream.closed

    assert play(act).contents("irc.join") == []


def test_a_text_goes_where_the_client_was_heard_last() -> None:
    def act(host: RecordingHost) -> None:
        client = Client(host)
        places = []
        for said in ("JOIN #a,#b", "PRIVMSG #a :x", "PRIVMSG site :x", "PART #a"):
            client.say(f"{said}\r\n")
            client.heard()
            host.deliver({"text": "yes"})
            places += client.heard()
        sender = ":site!site@irc.fairway PRIVMSG"
        assert places == [f"{sender} {to} :yes" for to in ("#b", "#a", "ada", "#b")]

        host.deliver({"text": "hm", "target": "#c", "nick": "bob"})
        assert client.heard() == [":bob!bob@irc.fairway PRIVMSG #c :hm"]

    play(act)


def test_a_text_of_any_length_and_shape_stays_a_text() -> None:
    def act(host: RecordingHost) -> None:
        client = Client(host)
        host.deliver({"text": "a\r\nQUIT\nb\0c"})
        assert [line.partition(" :")[2] for line in client.heard()] == [
            "a",
            "QUIT",
            "bc",
        ]
        long = "\N{SNOWMAN}" * 1_000
        host.deliver({"text": long})
        lines = client.heard()
        assert "".join(line.partition(" :")[2] for line in lines) == long
        assert max(len(line.encode()) for line in lines) <= 510

        host.deliver({"text": "x", "target": "#a :b\r\nERROR"})
        host.deliver({"text": "x", "nick": "a b"})
        assert client.heard() == []

    host = play(act)

    assert [drop.reason for drop in host.drops] == [Drop.UNSUPPORTED] * 2


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("JOIN tea", "403"),
        ("JOIN #a,#b,#c", "405"),
        ("PART #tea", "442"),
        ("PRIVMSG #tea :x", "401"),
        ("PRIVMSG bob :x", "401"),
        ("NICK 1", "432"),
        ("NICK Site", "433"),
        ("USER a 0 * :A", "462"),
        ("PRIVMSG", "461"),
        ("MODE #tea", "324"),
        ("WHO #tea", "315"),
        ("KNOCK #tea", "421"),
        ("CAP LS 302\r\nCAP END\r\nPONG\r\n", "CAP"),
    ],
)
def test_what_cannot_be_done_has_a_number(line: str, number: str) -> None:
    def act(host: RecordingHost) -> None:
        client = Client(host)
        client.say(f"{line}\r\n")
        assert client.heard()[-1].startswith(f":irc.fairway {number} ada ")

    play(act, channels=2)


def test_silence_is_asked_and_then_ended() -> None:
    def act(host: RecordingHost) -> None:
        silent, alive, stranger = (
            Client(host),
            Client(host),
            Client(host, welcome=False),
        )
        host.clock.advance(21)
        assert stranger.heard() == ["ERROR :Closing Link: Sign-on timeout"]
        for _ in range(2):
            host.clock.advance(100)
            alive.say("PONG :irc.fairway\r\n")
        assert alive.heard() == ["PING :irc.fairway"]
        host.clock.advance(100)
        assert silent.heard() == [
            "PING :irc.fairway",
            "ERROR :Closing Link: Ping timeout",
        ]
        assert silent.stream.closed
        assert not alive.stream.closed

    play(act)


def test_an_event_that_did_not_get_through_is_told() -> None:
    def act(host: RecordingHost) -> None:
        client = Client(host)
        host.refusing = Refusal.FULL
        client.say("PRIVMSG site :x\r\n")
        assert client.heard() == [
            ":irc.fairway NOTICE ada :The site did not get this (full)"
        ]

    play(act)
