"""The bases of protocols, on a host without sockets."""

import asyncio
from collections.abc import Iterable
from typing import ClassVar

import pytest

from fairway import kit
from fairway.core.drops import Drop
from fairway.core.plugin.host import Refusal
from fairway.core.settings import Limits
from fairway.testing.recording import RecordingHost
from fairway.testing.recording_wire import ManualClock
from tests.core.plugin import lines
from tests.interfaces.samples import datagram


class Idle(kit.StreamMapping[lines.Lines]):
    """Hangs up on who says nothing for ten seconds."""

    raising: ClassVar[bool] = False
    heard = 0.0

    def opened(self, now: float) -> list[kit.Step]:
        self.heard = now
        return []

    def received(self, data: bytes, now: float) -> list[kit.Step]:
        self.heard = now
        return []

    def reply(self, content: kit.Content, now: float) -> list[kit.Step]:
        raise kit.LocalProtocolError("it takes no replies")

    def next_deadline(self) -> float:
        return self.heard + 10.0

    def deadline_passed(self, now: float) -> list[kit.Step]:
        if self.raising:
            raise ValueError("a bug")
        return [kit.Write(b"bye"), kit.Hangup()]


class IdleProtocol(kit.StreamProtocol[lines.Lines]):
    mapping = Idle


class FaultyIdleProtocol(kit.StreamProtocol[lines.Lines]):
    class mapping(Idle):  # noqa: N801
        raising = True


def serve(
    host: RecordingHost, protocol_class: type[kit.StreamProtocol[lines.Lines]]
) -> kit.StreamProtocol[lines.Lines]:
    protocol = host.serve(protocol_class, lines.Lines(longest=10))
    asyncio.run(protocol.start())
    return protocol


def test_a_deadline_is_told_to_the_mapping() -> None:
    host = RecordingHost()
    serve(host, IdleProtocol)
    stream = host.connect()

    host.clock.advance(9.0)
    stream.feed(b"x")
    host.clock.advance(9.0)
    assert not stream.closed

    host.clock.advance(1.0)
    assert stream.closed
    assert stream.written == b"bye"


def test_a_deadline_that_fails_cuts_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    host = RecordingHost()
    serve(host, FaultyIdleProtocol)
    stream = host.connect()

    host.clock.advance(10.0)

    assert stream.aborted
    assert "a bug" in caplog.text


class FaultyStartProtocol(kit.StreamProtocol[lines.Lines]):
    class mapping(Idle):  # noqa: N801
        def opened(self, now: float) -> list[kit.Step]:
            raise ValueError("a bug")


def test_a_connection_that_cannot_begin_leaves_no_peer_behind() -> None:
    host = RecordingHost()
    protocol = serve(host, FaultyStartProtocol)

    with pytest.raises(ValueError, match="a bug"):
        host.connect()

    assert not any(peer.open for peer in host.peers.values())
    asyncio.run(asyncio.wait_for(protocol.stop(30.0), 10))


def test_a_deadline_that_ended_its_connection_never_comes_again() -> None:
    clock = ManualClock()
    calls: list[float] = []

    def call() -> None:
        calls.append(clock.now())
        deadline.cancel()

    deadline = kit.Deadline(clock, lambda: 1_001.0, call)
    deadline.update()
    clock.advance(60.0)

    assert calls == [1_001.0]


def test_an_earlier_deadline_replaces_a_later_one() -> None:
    clock = ManualClock()
    due = [1_010.0]
    calls: list[float] = []

    def call() -> None:
        calls.append(clock.now())
        due[0] = 2_000.0

    deadline = kit.Deadline(clock, lambda: due[0], call)
    deadline.update()
    due[0] = 1_002.0
    deadline.update()
    clock.advance(60.0)

    assert calls == [1_002.0]


def test_breaking_the_protocol_ends_the_connection_with_its_events() -> None:
    host = RecordingHost()
    serve(host, lines.LinesProtocol)
    stream = host.connect()

    stream.feed(b"a line of more than ten bytes")

    assert stream.closed
    assert host.channels == ["lines.connect", "lines.disconnect"]


def test_a_reply_that_the_protocol_cannot_carry_is_counted() -> None:
    host = RecordingHost()
    serve(host, IdleProtocol)
    host.connect()

    host.deliver({"text": "x"})

    assert [drop.reason for drop in host.drops] == [Drop.UNSUPPORTED]


def test_one_peer_s_failure_costs_no_other_its_reply(
    caplog: pytest.LogCaptureFixture,
) -> None:
    host = RecordingHost()
    serve(host, lines.LinesProtocol)
    first, second = host.connect(), host.connect()
    peers = list(host.peers.values())
    peers[0].handle = None

    host.deliver({"text": "x"}, *peers)

    assert first.written == b""
    assert second.written == b"x\n"
    assert [drop.reason for drop in host.drops] == [Drop.FAILED]
    assert caplog.records


def test_who_takes_too_little_is_cut_at_the_next_reply() -> None:
    host = RecordingHost(limits=Limits(unsent_bytes=10))
    serve(host, lines.LinesProtocol)
    stream = host.connect()
    stream.stalled = True

    host.deliver({"text": "a long reply is written whole"})
    assert not stream.closed
    host.deliver({"text": "x"})

    assert stream.aborted
    assert [drop.reason for drop in host.drops] == [Drop.SLOW]


def test_who_writes_and_takes_nothing_is_cut_at_what_it_writes() -> None:
    host = RecordingHost(limits=Limits(unsent_bytes=10))
    serve(host, lines.LinesProtocol)
    stream = host.connect()
    stream.stalled = True
    host.deliver({"text": "a long reply is written whole"})

    stream.feed(b"x\n")

    assert stream.aborted
    assert host.contents("lines.receive") == []
    assert [drop.reason for drop in host.drops] == [Drop.SLOW]


def test_a_refused_event_hangs_up_by_default() -> None:
    host = RecordingHost()
    serve(host, lines.LinesProtocol)
    stream = host.connect()
    host.refusing = Refusal.FULL

    stream.feed(b"x\n")

    assert stream.closed


def test_a_peer_over_the_limit_is_hung_up_on() -> None:
    host = RecordingHost(limits=Limits(peers=1))
    serve(host, lines.LinesProtocol)
    host.connect()

    assert host.connect().aborted


def test_stopping_cuts_who_does_not_take_the_rest() -> None:
    class Stuck(kit.StreamProtocol[lines.Lines]):
        mapping = lines.Session

    host = RecordingHost()
    protocol = serve(host, Stuck)
    stream = host.connect()
    stream.close = lambda: None  # type: ignore[method-assign]

    asyncio.run(protocol.stop(0.05))

    assert stream.aborted
    assert not host.listeners[0].listening


def serve_datagrams(host: RecordingHost) -> kit.DatagramProtocol[datagram.Datagram]:
    protocol = host.serve(datagram.DatagramProtocol, datagram.Datagram())
    asyncio.run(protocol.start())
    return protocol


def test_a_silent_sender_is_forgotten() -> None:
    host = RecordingHost()
    serve_datagrams(host)
    host.ports[0].feed(b"x")
    (peer,) = host.peers.values()

    host.clock.advance(30.0)
    host.ports[0].feed(b"still here")
    host.clock.advance(59.0)
    assert peer.open
    host.clock.advance(3.0)

    assert not peer.open


def test_replies_keep_nobody() -> None:
    host = RecordingHost()
    serve_datagrams(host)
    host.ports[0].feed(b"x", ("192.0.2.1", 1))
    (listening,) = host.peers.values()

    for _ in range(7):
        host.clock.advance(10.0)
        host.deliver({"bytes": b"news"}, listening)

    assert not listening.open


def test_the_same_sender_is_one_peer_of_each_port() -> None:
    host = RecordingHost()
    config = datagram.Datagram(bind=("udp:1", "udp:2"))
    protocol = host.serve(datagram.DatagramProtocol, config)
    asyncio.run(protocol.start())

    for port in (*host.ports, *host.ports):
        port.feed(b"x")

    assert len(host.peers) == 2


class Hook(kit.WebhookProtocol[kit.Config]):
    """Answers by what the body says."""

    async def webhook(self, exchange: kit.Exchange, body: bytes) -> None:
        if body == b"bug":
            raise ValueError("a bug")
        if body.isdigit():
            raise kit.RemoteProtocolError("wrong", status=int(body))
        exchange.respond(204)


class Request:
    """As much of an exchange as a webhook needs."""

    def __init__(self, body: bytes | kit.RemoteProtocolError) -> None:
        self.head = kit.RequestHead(
            method="POST",
            path="/hook/",
            raw_path=b"/hook/",
            query_string=b"",
            headers=[],
            http_version="1.1",
            scheme="http",
            client="192.0.2.1:5123",
            server=("192.0.2.99", 80),
        )
        self.statuses: list[int] = []
        self._body = body

    async def body(self, limit: int) -> bytes:
        if isinstance(self._body, kit.RemoteProtocolError):
            raise self._body
        return self._body

    def respond(
        self,
        status: int,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
    ) -> None:
        self.statuses.append(status)
        assert not body or dict(headers)[b"content-type"].startswith(b"text/plain")


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (b"fine", [204]),
        (b"403", [403]),
        (b"0", [400]),
        (b"bug", [500]),
        (kit.RemoteProtocolError("the client left", status=413), []),
    ],
)
def test_a_webhook_is_answered(
    body: bytes | kit.RemoteProtocolError, statuses: list[int]
) -> None:
    host = RecordingHost()
    protocol = host.serve(Hook, kit.Config())
    request = Request(body)

    protocol.open(request)  # type: ignore[arg-type]
    asyncio.run(host.work[0])

    assert request.statuses == statuses
