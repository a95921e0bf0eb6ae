"""The way of events to the bus, over real sockets and the memory layer."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from fairway.core.bus.operations import Busy, Lost
from tests.interfaces.recorder import read_exactly
from tests.interfaces.rig import Rig, rigged
from tests.support.loop import LoopThread, wait_until


@pytest.fixture
def rig(loop_thread: LoopThread) -> Iterator[Rig]:
    with rigged(loop_thread, {"brief": {}}) as rig:
        yield rig


@pytest.fixture
def client(rig: Rig) -> Iterator[socket.socket]:
    with rig.connect() as client:
        yield client


def test_an_event_reaches_its_channel_with_its_envelope(
    rig: Rig, client: socket.socket
) -> None:
    client.sendall(b"hello\n")

    taken = rig.take()

    host, port = client.getsockname()
    local = taken.reply_channel.removeprefix(f"{rig.server.name}!")
    assert taken.envelope == {
        "reply_channel": f"{rig.server.name}!{local}",
        "peer": f"brief:{local}",
        "protocol": "brief",
        "client": f"{host}:{port}",
    }
    assert taken.events == [{"text": "hello", "order": 0}]


def test_one_record_of_a_peer_is_on_the_bus_and_the_rest_follows_together(
    rig: Rig, client: socket.socket
) -> None:
    client.sendall(b"one\n")
    first = rig.take()
    client.sendall(b"two\nthree\n")
    assert rig.is_silent()

    rig.done(first)

    second = rig.take()
    assert second.texts == ["two", "three"]
    assert [event["order"] for event in second.events] == [1, 2]
    assert second.order == 2


def test_peers_do_not_wait_for_each_other(rig: Rig, client: socket.socket) -> None:
    client.sendall(b"one\n")
    rig.take()

    with rig.connect() as other:
        other.sendall(b"two\n")
        assert rig.take().texts == ["two"]


def test_the_last_event_follows_although_the_peer_has_left(
    rig: Rig, client: socket.socket
) -> None:
    client.sendall(b"one\n")
    first = rig.take()
    client.sendall(b"two\n")
    client.close()

    rig.done(first)
    second = rig.take()
    rig.done(second)

    assert second.texts == ["two"]
    assert rig.take("brief.disconnect").events == [{"order": 2}]


def test_an_end_of_another_record_is_ignored(rig: Rig, client: socket.socket) -> None:
    client.sendall(b"one\n")
    first = rig.take()
    client.sendall(b"two\n")

    first.order = 7
    rig.done(first)

    assert rig.is_silent()


def test_state_rides_with_the_events(rig: Rig, client: socket.socket) -> None:
    client.sendall(b"one\n")
    first = rig.take()
    rig.done(first, {"count": 1})
    client.sendall(b"two\n")
    second = rig.take()
    rig.done(second)
    client.sendall(b"three\n")

    assert first.state is None
    assert second.state == {"count": 1}
    assert rig.take().state == {"count": 1}


def test_a_lost_record_releases_the_next_one(rig: Rig, client: socket.socket) -> None:
    client.sendall(b"one\n")
    first = rig.take()
    client.sendall(b"two\n")

    rig.layer.apply([Lost(first.reply_channel, first.order)])

    assert rig.take().texts == ["two"]


@pytest.mark.standard
def test_a_record_that_nobody_ends_is_released_at_its_expiry(
    loop_thread: LoopThread,
) -> None:
    with rigged(loop_thread, {"brief": {}}, expiry=0.2) as rig, rig.connect() as client:
        client.sendall(b"one\n")
        rig.take()
        client.sendall(b"two\n")

        assert rig.take().texts == ["two"]
        assert rig.dropped("brief.receive", "unanswered") == 1


@pytest.mark.standard
def test_a_busy_worker_keeps_its_record(loop_thread: LoopThread) -> None:
    with rigged(loop_thread, {"brief": {}}, expiry=1.2) as rig, rig.connect() as client:
        client.sendall(b"one\n")
        first = rig.take()
        client.sendall(b"two\n")

        # Twice as long as a silent worker would be waited for.
        for _ in range(3):
            with pytest.raises(AssertionError):
                rig.take(timeout=0.8)
            rig.layer.apply([Busy(first.reply_channel, first.order)])

        rig.done(first)
        assert rig.take().texts == ["two"]


def test_a_peer_is_held_while_too_many_of_its_events_wait(
    rig: Rig, client: socket.socket
) -> None:
    client.sendall(b"first\n")
    first = rig.take()

    client.sendall(b"x\n" * 16)
    wait_until(lambda: rig.protocol("brief").holds == [False])
    rig.done(first)

    wait_until(lambda: rig.protocol("brief").holds == [False, True])
    assert len(rig.take().texts) == 16


def test_a_peer_is_held_while_too_many_bytes_wait(
    rig: Rig, client: socket.socket
) -> None:
    client.sendall(b"first\n")
    rig.take()

    for _ in range(3):
        client.sendall(bytes(100_000).replace(b"\0", b"x") + b"\n")

    wait_until(lambda: rig.protocol("brief").holds == [False])


def test_a_full_channel_refuses_an_event_when_its_patience_is_over(
    loop_thread: LoopThread,
) -> None:
    with (
        rigged(loop_thread, {"brief": {}}, capacity=1) as rig,
        rig.connect() as first,
        rig.connect() as second,
    ):
        first.sendall(b"one\n")
        wait_until(lambda: not rig.is_silent())
        second.sendall(b"two\n")

        assert read_exactly(second, 14) == b"refused: full\n"
        wait_until(lambda: rig.protocol("brief").holds == [False, True])
        assert rig.dropped("brief.receive", "full") == 1
        second.sendall(b"three\n")
        rig.take()
        assert rig.take().texts == ["three"]


def test_a_full_channel_delays_an_event_within_its_patience(
    loop_thread: LoopThread,
) -> None:
    plugins = {"tests.core.plugin.lines": {"bind": ["tcp:0:interface=127.0.0.1"]}}
    with (
        rigged(loop_thread, plugins, capacity=1) as rig,
        rig.connect("lines"),
        rig.connect("lines"),
        rig.connect("lines"),
    ):
        peers = {rig.take("lines.connect").envelope["peer"] for _ in range(3)}

        assert len(peers) == 3
        assert rig.layer.drops.counts() == {}


def test_a_message_above_the_limit_is_refused(loop_thread: LoopThread) -> None:
    with (
        rigged(loop_thread, {"brief": {}}, max_content=100) as rig,
        rig.connect() as client,
    ):
        client.sendall(b"x" * 200 + b"\n")

        assert read_exactly(client, 19) == b"refused: too_large\n"
        client.sendall(b"small\n")
        assert rig.take().events == [{"text": "small", "order": 0}]


@pytest.mark.standard
def test_who_sends_too_much_is_not_read_for_a_while(loop_thread: LoopThread) -> None:
    plugins = {"brief": {"limits": {"messages_per_second": 4}}}
    with rigged(loop_thread, plugins) as rig, rig.connect() as client:
        client.sendall(b"x\n" * 6)

        wait_until(lambda: rig.protocol("brief").holds == [False, True])
        assert rig.take().texts == ["x"]
        assert rig.layer.drops.counts() == {}


def test_filters_change_events_once(loop_thread: LoopThread) -> None:
    plugins: dict[str, Any] = {"brief": {}, "filters": {}}
    with rigged(loop_thread, plugins) as rig, rig.connect() as client:
        client.sendall(b"hello\n")

        assert rig.take().texts == ["hello!"]


@pytest.mark.parametrize(("text", "why"), [("drop", "filtered"), ("fail", "failed")])
def test_a_filter_may_drop_an_event(
    loop_thread: LoopThread, text: str, why: str
) -> None:
    plugins: dict[str, Any] = {"brief": {}, "filters": {}}
    with rigged(loop_thread, plugins) as rig, rig.connect() as client:
        client.sendall(f"{text}\nnext\n".encode())

        expected = f"refused: {why}\n".encode()
        assert read_exactly(client, len(expected)) == expected
        assert rig.take().events == [{"text": "next!", "order": 0}]
        assert rig.dropped("brief.receive", why) == 1


def test_an_undeclared_event_cuts_the_connection_and_names_the_nearest(
    rig: Rig, client: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    client.sendall(b"hello\n")
    rig.take()
    protocol = rig.protocol("brief")

    def emit() -> None:
        peer = next(iter(protocol._connections)).peer
        with pytest.raises(ValueError, match=r"did you mean 'brief\.receive'"):
            protocol.host.emit(peer, "brief.receivez", {})

    rig.loop.call(emit)


def test_the_peers_limit_hangs_up(loop_thread: LoopThread) -> None:
    plugins = {"brief": {"limits": {"peers": 1}}}
    with rigged(loop_thread, plugins) as rig, rig.connect() as first:
        first.sendall(b"x\n")
        rig.take()

        with rig.connect() as second:
            assert second.recv(10) == b""
        assert rig.dropped("brief", "limit") == 1
