"""The sms protocol between a provider and a host, without a bus."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

from fairway.core.exceptions import LayerUnavailable
from fairway.core.plugin.host import Peer, Refusal
from fairway.core.settings import Limits, read_section
from fairway.kit import Content
from fairway.plugins.sms import memory
from fairway.plugins.sms.provider import Incoming, Outgoing, Sent, Unsent
from fairway.plugins.sms.spec import SPEC, SmsConfig
from fairway.plugins.sms.transport_twisted import SmsProtocol
from fairway.testing.recording import RecordingHost

ANN, BOB = "+46701111111", "+46702222222"
OURS, OTHER = "+46700000000", "+15550100000"

pytestmark = pytest.mark.usefixtures("sessions")


class Line:
    """A running protocol, with the vendor's side and the consumers' side of it."""

    def __init__(self, host: RecordingHost, protocol: SmsProtocol) -> None:
        self.host = host
        self.protocol = protocol
        self.vendor = memory.running[-1]

    def peer(self, number: str) -> Peer:
        return self.host.open_peer(None, client=number, key=number)

    async def reply(self, number: str, **content: Any) -> None:
        self.host.deliver(content, self.peer(number))
        await self.settle()

    async def settle(self) -> None:
        for _ in range(40):
            await asyncio.sleep(0)

    @property
    def sent(self) -> list[tuple[str, str, str]]:
        return [(one.sender, one.to, one.text) for one in memory.outbox]

    @property
    def given_up(self) -> list[str]:
        return [
            content["reason"]
            for content in self.host.contents("sms.status")
            if content["status"] == "given_up"
        ]

    def drops(self) -> list[tuple[str, str]]:
        return [(drop.reason, drop.detail) for drop in self.host.drops]


def play(
    work: Callable[[Line], Awaitable[None]],
    host: RecordingHost | None = None,
    **section: Any,
) -> Line:
    """Run the protocol, play, and stop it."""
    given = {"provider": "memory", "sender": [OURS, OTHER]} | section

    async def run() -> Line:
        line_host = host or RecordingHost()
        config = read_section(given, SmsConfig, "sms")
        protocol = line_host.serve(SmsProtocol, config, SPEC)
        await protocol.start()
        line = Line(line_host, protocol)
        await work(line)
        await protocol.stop(0.0)
        return line

    return asyncio.run(run())


def test_a_text_is_an_event_and_its_answer_leaves_from_the_same_number() -> None:
    async def work(line: Line) -> None:
        assert await line.vendor.text("0046 70 111 11 11", "hello", to=OTHER, id="7")
        await line.reply(ANN, text="HELLO")

    line = play(work)

    (event,) = line.host.events
    assert event.channel == "sms.receive"
    assert event.peer is not None
    assert event.peer.id == f"sms:{ANN}"
    assert event.content == {"text": "hello", "id": "7", "to": OTHER}
    assert line.sent == [(OTHER, ANN, "HELLO")]
    assert line.protocol.figures() == {"waiting": 0, "sent": 1, "segments": 1}


def test_bytes_media_and_a_sender_of_choice_are_carried() -> None:
    url = "https://example.com/a.png"

    async def work(line: Line) -> None:
        await line.reply(ANN, bytes="grüß".encode(), media=[url], sender=OTHER)
        await line.reply(ANN, media=[url])

    line = play(work)

    assert line.sent == [(OTHER, ANN, "grüß"), (OURS, ANN, "")]
    assert [message.media for message in memory.outbox] == [(url,), (url,)]
    assert line.host.drops == []


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"bytes": b"\xff"}, "bytes that are no UTF-8"),
        ({"text": ""}, "an empty text"),
        ({"text": 7}, "text that is int"),
        ({"text": "a", "media": [b"x"]}, "media that is no http(s) URL"),
        ({"text": "a", "media": "file:///etc/passwd"}, "media that is no http(s) URL"),
        ({"text": "a", "sender": 7}, "a sender that is no str"),
        ({"text": "a", "subject": "x"}, "subject"),
    ],
)
def test_what_cannot_be_carried_is_counted(content: Content, what: str) -> None:
    async def work(line: Line) -> None:
        await line.reply(ANN, **content)

    line = play(work)

    assert ("unsupported", what) in line.drops()
    assert line.sent == ([(OURS, ANN, "a")] if content.get("text") == "a" else [])


def test_the_same_text_is_taken_once() -> None:
    async def work(line: Line) -> None:
        for _ in range(3):
            assert await line.vendor.text(ANN, "hello", id="7")
        assert await line.vendor.text(ANN, "hello", id="8")
        for _ in range(2):
            assert await line.vendor.report("9", ANN, "sent")
        assert await line.vendor.report("9", ANN, "delivered")

    line = play(work)

    assert [content["id"] for content in line.host.contents("sms.receive")] == [
        "7",
        "8",
    ]
    assert line.host.contents("sms.status") == [
        {"status": "sent", "id": "9", "code": ""},
        {"status": "delivered", "id": "9", "code": ""},
    ]


@pytest.mark.parametrize("why", [Refusal.FULL, Refusal.UNAVAILABLE])
def test_what_the_bus_refused_may_come_again(why: Refusal) -> None:
    async def work(line: Line) -> None:
        line.host.refusing = why
        assert not await line.vendor.text(ANN, "hello", id="7")
        assert not await line.vendor.report("9", ANN, "sent")
        line.host.refusing = None
        assert await line.vendor.text(ANN, "hello", id="7")
        assert await line.vendor.report("9", ANN, "sent")

    assert play(work).host.channels == ["sms.receive", "sms.status"]


class Slow(RecordingHost):
    """A host whose bus takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = asyncio.Event()

    async def emitted(
        self, peer: Peer | None, channel: str, content: Content
    ) -> Refusal | None:
        await self.goes_on.wait()
        return await super().emitted(peer, channel, content)


@pytest.mark.standard
def test_a_text_that_is_being_taken_is_not_taken_yet() -> None:
    host = Slow()

    async def work(line: Line) -> None:
        first = asyncio.ensure_future(line.vendor.text(ANN, "hello", id="7"))
        await line.settle()
        # As long as nobody knows what becomes of the first, or when its server died.
        assert not await line.vendor.text(ANN, "hello", id="7")
        host.refusing = Refusal.UNAVAILABLE
        host.goes_on.set()
        assert not await first
        host.refusing = None
        assert await line.vendor.text(ANN, "hello", id="7")
        assert await line.vendor.text(ANN, "hello", id="7")

    assert play(work, host).host.channels == ["sms.receive"]


def test_what_can_never_be_taken_does_not_come_again() -> None:
    async def work(line: Line) -> None:
        line.host.refusing = Refusal.TOO_LARGE
        assert await line.vendor.text(ANN, "hello")
        assert await line.vendor.text("", "hello")
        assert await line.vendor.text("x" * 31, "hello")

    assert play(work).host.events == []


class Cut(RecordingHost):
    """A host whose bus is away."""

    async def claim(self, key: str, ttl: float, owner: str = "") -> bool:
        raise LayerUnavailable("redis://localhost", "gone")


def test_a_bus_that_is_away_refuses_texts() -> None:
    async def work(line: Line) -> None:
        assert not await line.vendor.text(ANN, "hello")

    assert play(work, Cut()).host.events == []


def test_who_opts_out_gets_nothing_until_he_opts_in() -> None:
    async def work(line: Line) -> None:
        await line.vendor.text(ANN, "Stop!", to=OURS)
        await line.reply(ANN, text="one")
        await line.reply(ANN, text="two", sender=OTHER)
        await line.reply(BOB, text="three")
        await line.vendor.text(ANN, "start", to=OURS)
        await line.reply(ANN, text="four")

    line = play(work)

    keywords = [event["keyword"] for event in line.host.contents("sms.receive")]
    assert keywords == ["stop", "start"]
    assert line.sent == [
        (OTHER, ANN, "two"),
        (OURS, BOB, "three"),
        (OURS, ANN, "four"),
    ]
    assert line.host.contents("sms.status") == [
        {"status": "given_up", "text": "one", "reason": "opted_out", "code": ""}
    ]


def test_the_vendor_may_know_the_keyword() -> None:
    async def work(line: Line) -> None:
        incoming = Incoming(id="1", sender=ANN, to=OURS, text="arrête", keyword="stop")
        assert await line.vendor.incoming(incoming)
        await line.reply(ANN, text="one")

    assert play(work).given_up == ["opted_out"]


def test_an_opt_out_is_confirmed_once() -> None:
    async def work(line: Line) -> None:
        for _ in range(3):
            await line.vendor.text(ANN, "STOP", to=OTHER)
            await line.settle()

    line = play(work, confirmation="You get no more texts.")

    assert line.sent == [(OTHER, ANN, "You get no more texts.")]


def test_only_numbers_that_are_allowed_are_told_that_they_opted_out() -> None:
    async def work(line: Line) -> None:
        for sender in ("+882299000000", "73737", ANN):
            await line.vendor.text(sender, "STOP", to=OURS)
            await line.settle()

    line = play(work, confirmation="Bye.", prefixes=["+46"])

    assert line.sent == [(OURS, ANN, "Bye.")]


class Stopped(memory.MemoryProvider):
    """A vendor whose people opt out when they have seen the first message."""

    longest = 320

    async def send(self, message: Outgoing) -> Sent:
        await self.text(message.to, "STOP", to=message.sender)
        return await super().send(message)


def test_who_opts_out_gets_no_more_of_a_long_text() -> None:
    async def work(line: Line) -> None:
        await line.reply(ANN, text="x" * 900)

    line = play(work, provider=f"{__name__}.Stopped")

    assert len(line.sent) == 1
    assert line.given_up == ["opted_out"]


def test_who_opts_out_in_a_flood_is_heard() -> None:
    async def work(line: Line) -> None:
        for _ in range(20):
            await line.vendor.text(ANN, "hello")
        await line.vendor.text(ANN, "STOP")
        await line.reply(ANN, text="one")

    line = play(work, RecordingHost(limits=Limits(messages_per_second=5)))

    assert line.given_up == ["opted_out"]
    assert line.sent == []


@contextmanager
def _no_table() -> Iterator[None]:
    """Take the sessions' table away for a while."""
    call_command("migrate", "sessions", "zero", verbosity=0)
    yield
    call_command("migrate", "sessions", verbosity=0)


def test_a_stop_that_the_disk_does_not_take_comes_again(sessions: Path) -> None:
    async def work(line: Line) -> None:
        away = sessions.with_name("away")
        os.rename(sessions, away)
        assert not await line.vendor.text(ANN, "STOP", id="7")
        os.rename(away, sessions)
        assert await line.vendor.text(ANN, "STOP", id="7")
        await line.reply(ANN, text="one")

    assert play(work).given_up == ["opted_out"]


@pytest.fixture
def _database(sessions: Path) -> Iterator[None]:
    """Keep sessions in the database, which a recording host asks in its loop."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.db"):
        yield
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.mark.usefixtures("_database")
def test_nothing_leaves_while_opt_outs_cannot_be_read() -> None:
    async def work(line: Line) -> None:
        with _no_table():
            await line.reply(ANN, text="one")
            assert line.sent == []
            assert not await line.vendor.text(ANN, "STOP")
        line.host.clock.advance(1.0)
        await line.settle()

    assert play(work).sent == [(OURS, ANN, "one")]


def test_a_number_that_is_not_allowed_gets_nothing() -> None:
    async def work(line: Line) -> None:
        await line.reply("+882299000000", text="one")
        await line.reply("73737", text="two")
        await line.reply("ACME", text="three")
        await line.reply(ANN, text="four")

    line = play(work, prefixes=["+46", "+1"])

    assert line.given_up == ["not_allowed", "no_number", "no_number"]
    assert line.sent == [(OURS, ANN, "four")]


def test_a_budget_that_is_spent_stays_spent() -> None:
    async def first(line: Line) -> None:
        await line.reply(ANN, text="x" * 306)

    async def second(line: Line) -> None:
        await line.reply(ANN, text="one")
        await line.reply(ANN, text="two")

    assert play(first, daily_budget=3).given_up == []
    assert play(second, daily_budget=3).given_up == ["over_budget"]


def test_a_text_is_not_longer_than_allowed() -> None:
    async def work(line: Line) -> None:
        await line.reply(ANN, text="x" * 307)
        await line.reply(ANN, text="x" * 306)

    line = play(work, max_segments=2)

    assert line.given_up == ["too_long"]
    assert len(line.sent) == 1


def test_a_flood_of_one_number_is_dropped() -> None:
    async def work(line: Line) -> None:
        for _ in range(20):
            assert await line.vendor.text(ANN, "hello")
        assert await line.vendor.text(BOB, "hello")

    line = play(work, RecordingHost(limits=Limits(messages_per_second=5)))

    assert len(line.host.contents("sms.receive")) <= 8
    assert line.host.events[-1].peer is not None
    assert line.host.events[-1].peer.id == f"sms:{BOB}"
    assert ("limit", "messages_per_second") in line.drops()


def test_a_sender_that_is_not_ours_is_refused() -> None:
    async def work(line: Line) -> None:
        await line.reply(ANN, text="one", sender="+46999999999")

    assert play(work).given_up == ["no_sender"]


class Limited(memory.MemoryProvider):
    """A vendor that takes short messages only, and the second one at the third try."""

    longest = 320
    tries = 0

    async def send(self, message: Outgoing) -> Sent:
        self.tries += 1
        if 1 < self.tries < 4:
            raise Unsent("busy", final=False)
        return await super().send(message)


def test_a_long_text_is_cut_and_goes_on_where_it_stopped() -> None:
    text = "".join(chr(97 + index % 26) for index in range(900))

    async def work(line: Line) -> None:
        await line.reply(ANN, text=text, media=["https://example.com/a.png"])
        for _ in range(3):
            line.host.clock.advance(2.0)
            await line.settle()

    # However often it is tried, it is paid once.
    play(work, provider=f"{__name__}.Limited", daily_budget=6)

    assert "".join(message.text for message in memory.outbox) == text
    assert [len(message.text) for message in memory.outbox] == [306, 306, 288]
    assert [bool(message.media) for message in memory.outbox] == [False, False, True]


def test_what_is_left_at_the_end_goes_back() -> None:
    async def work(line: Line) -> None:
        await line.reply(ANN, text="one")
        await line.reply(ANN, bytes=b"two")
        await line.reply(ANN, text="three", sender=OTHER)

    line = play(work, provider=f"{__name__}.Limited")

    assert line.sent == [(OURS, ANN, "one")]
    assert line.host.returned == [
        (f"sms:{ANN}", {"text": "two"}),
        (f"sms:{ANN}", {"text": "three", "sender": OTHER}),
    ]


def test_what_is_remembered_says_no_number(sessions: Path) -> None:
    async def work(line: Line) -> None:
        await line.vendor.text(ANN, "STOP")

    play(work)

    kept = [path.name + path.read_text() for path in sessions.iterdir()]
    assert kept
    assert not any(ANN[1:] in text for text in kept)
