"""One table of limits, the same for every protocol, before anybody is authenticated."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from fairway.core.bus.layer import LayerPolicy
from fairway.core.exceptions import ConfigurationError
from fairway.plugins.sms import memory
from tests.interfaces.rig import SAMPLES, Rig
from tests.support.loop import LoopThread, wait_until

HTTP, WEBSOCKET, LINES, LONGPOLL = "http", "websocket", "brief", "longpoll"
SMS = "sms"
STREAMS = [HTTP, WEBSOCKET, LINES]
"""Those that stop reading a connection; long-poll's own tests have what it does."""
PROTOCOLS = [*STREAMS, LONGPOLL]
ENOUGH = 48 * 1024 * 1024
"""Bytes that no buffers between two sockets hold."""

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
BEGIN = (
    b"POST /poll/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    b"Content-Length: 0\r\n\r\n"
)
ARRIVALS = {
    HTTP: (GET, "http.request"),
    WEBSOCKET: (UPGRADE, "websocket.connect"),
    LINES: (b"x\n", "brief.receive"),
    LONGPOLL: (BEGIN, "longpoll.connect"),
}


@contextmanager
def limited(
    loop: LoopThread, protocol: str, *, everywhere: bool = False, **limits: Any
) -> Iterator[Rig]:
    """Run all protocols; one of them, or all, with limits."""
    sections: dict[str, dict[str, Any]] = {
        HTTP: {"bind": ["tcp:0:interface=127.0.0.1"]},
        WEBSOCKET: {},
        LONGPOLL: {},
        f"{SAMPLES}.{LINES}": {},
        SMS: {"provider": "memory", "sender": ["+46700000000"]},
    }
    settings: dict[str, Any] = {"PLUGINS": sections}
    if everywhere:
        settings["LIMITS"] = limits
    else:
        name = f"{SAMPLES}.{LINES}" if protocol == LINES else protocol
        sections[name]["limits"] = limits
    rig = Rig(loop, settings, LayerPolicy(capacity=lambda channel: 1_000))
    loop.run(rig.server.start())
    try:
        yield rig
    finally:
        loop.run(rig.server.stop(0.01))
        rig.layer.close()


def arrive(rig: Rig, protocol: str) -> socket.socket:
    """Connect and do what makes a client of the protocol a peer."""
    client = rig.connect(LINES if protocol == LINES else HTTP)
    client.sendall(ARRIVALS[protocol][0])
    return client


def is_refused(rig: Rig, client: socket.socket, protocol: str) -> bool:
    """Wait for what comes first: an event of the client, or its refusal."""
    channel = ARRIVALS[protocol][1]
    client.settimeout(0.005)
    for _ in range(4_000):
        if not rig.is_silent(channel):
            rig.take(channel)
            return False
        try:
            answer = client.recv(100)
        except TimeoutError:
            continue
        except ConnectionResetError:
            return True
        assert not answer or answer.startswith((b"HTTP/1.1 429", b"HTTP/1.1 503"))
        return True
    raise AssertionError("nothing happened")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("limit", ["peers", "peers_per_address"])
def test_so_many_peers_are_let_in(
    loop_thread: LoopThread, protocol: str, limit: str
) -> None:
    limits: dict[str, Any] = {limit: 2}
    with limited(loop_thread, protocol, **limits) as rig, ExitStack() as stack:
        for _ in range(2):
            client = stack.enter_context(arrive(rig, protocol))
            assert not is_refused(rig, client, protocol)

        client = stack.enter_context(arrive(rig, protocol))
        assert is_refused(rig, client, protocol)
        assert rig.dropped(protocol, "limit") == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_address_shakes_hands_so_often(
    loop_thread: LoopThread, protocol: str
) -> None:
    with (
        limited(loop_thread, protocol, handshakes_per_second=1) as rig,
        ExitStack() as stack,
    ):
        first = stack.enter_context(arrive(rig, protocol))
        assert not is_refused(rig, first, protocol)

        for _ in range(50):  # a second may pass in between on a busy machine
            client = stack.enter_context(arrive(rig, protocol))
            if is_refused(rig, client, protocol):
                break
        else:
            raise AssertionError("nobody was refused")
        assert rig.dropped(protocol, "limit") == 1


def test_requests_on_a_connection_that_was_counted_are_no_handshakes(
    loop_thread: LoopThread,
) -> None:
    with limited(loop_thread, HTTP, handshakes_per_second=1) as rig:
        with rig.connect(HTTP) as client:
            for _ in range(5):
                client.sendall(GET)
                rig.reply(rig.take("http.request"), text="ok")
                assert b" 200 " in client.recv(1_000)


def opened(rig: Rig, protocol: str) -> socket.socket:
    """Return a client that may send messages."""
    if protocol != WEBSOCKET:
        return rig.connect(protocol)
    client = arrive(rig, protocol)
    connect = rig.take("websocket.connect")
    rig.reply(connect, accept=True)
    rig.done(connect)
    assert b" 101 " in client.recv(1_000)
    return client


def message(protocol: str, size: int = 1) -> bytes:
    """Return a message as it is on the wire."""
    if protocol == LINES:
        return b"x" * size + b"\n"
    if protocol == HTTP:
        return b"GET /-/live?%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * size)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return b"\x82" + length + bytes(4) + b"x" * size


def pass_messages(rig: Rig, client: socket.socket, protocol: str, count: int) -> None:
    """Wait until so many messages have come through."""
    if protocol == HTTP:
        answers = b""
        while answers.count(b"HTTP/1.1 ") < count:
            answers += client.recv(10_000)
        return
    while count:
        taken = rig.take(f"{protocol}.receive")
        count -= len(taken.events)
        rig.done(taken)


@pytest.mark.standard
@pytest.mark.parametrize("protocol", STREAMS)
def test_who_sends_more_often_is_not_read_for_a_while(
    loop_thread: LoopThread, protocol: str
) -> None:
    with (
        limited(loop_thread, protocol, messages_per_second=4) as rig,
        opened(rig, protocol) as client,
    ):
        began = time.monotonic()
        client.sendall(message(protocol) * 8)
        pass_messages(rig, client, protocol, 8)
        client.sendall(message(protocol))
        pass_messages(rig, client, protocol, 1)

        assert time.monotonic() - began > 0.5


@pytest.mark.standard
@pytest.mark.parametrize("protocol", STREAMS)
@pytest.mark.parametrize(
    "limits",
    [
        {"held_events": 2, "held_bytes": 1 << 40},
        {"held_events": 1 << 40, "held_bytes": 2_000},
    ],
)
def test_who_sends_more_than_may_wait_for_a_worker_is_not_read(
    loop_thread: LoopThread, protocol: str, limits: dict[str, Any]
) -> None:
    limits = {**limits, "messages_per_second": 1e9}
    with (
        limited(loop_thread, protocol, **limits) as rig,
        opened(rig, protocol) as client,
    ):
        # The first one is never answered, so the others wait.
        sent = GET if protocol == HTTP else b""
        part = message(protocol, 1_000) * 60
        client.settimeout(1.0)
        client.sendall(sent)
        total = 0
        with suppress(TimeoutError):
            while total < ENOUGH:
                total += client.send(part)

        assert total < ENOUGH


def test_a_handshake_has_the_header_limits_of_http(loop_thread: LoopThread) -> None:
    large = UPGRADE[:-2] + b"A: " + b"b" * 70_000 + b"\r\n\r\n"
    with limited(loop_thread, WEBSOCKET) as rig, rig.connect(HTTP) as client:
        client.sendall(large)

        assert client.recv(1_000).startswith(b"HTTP/1.1 431 ")
        assert rig.is_silent("websocket.connect")


def test_a_number_that_texts_more_often_is_dropped_before_the_bus(
    loop_thread: LoopThread,
) -> None:
    with limited(loop_thread, SMS, messages_per_second=4) as rig:
        vendor = memory.running[-1]

        async def flood() -> None:
            for _ in range(200):
                assert await vendor.text("+46701111111", "hello")
            assert await vendor.text("+46702222222", "hello")

        rig.loop.run(flood())

        dropped = rig.dropped(SMS, "limit")
        assert dropped > 0
        waiting = rig.layer.statistics(["sms.receive"])["sms.receive"].waiting
        assert waiting == 201 - dropped


@pytest.mark.parametrize("protocol", [*PROTOCOLS, SMS])
def test_the_table_of_all_protocols_reaches_each(
    loop_thread: LoopThread, protocol: str
) -> None:
    with limited(loop_thread, protocol, everywhere=True, held_events=3) as rig:
        assert rig.protocol(protocol).host.limits.held_events == 3


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_is_above_zero(loop_thread: LoopThread, value: float) -> None:
    with pytest.raises(ConfigurationError, match=r"messages_per_second.*above 0"):
        with limited(loop_thread, HTTP, messages_per_second=value):
            pass


def test_a_refused_connection_leaves_room_for_the_next(
    loop_thread: LoopThread,
) -> None:
    with limited(loop_thread, HTTP, peers=1) as rig:
        with rig.connect(HTTP) as client:
            client.sendall(b"\x00")
            assert b" 400 " in client.recv(1_000)
        wait_until(lambda: rig.loop.call(lambda: not rig.protocol(HTTP)._connections))

        with arrive(rig, HTTP) as client:
            assert not is_refused(rig, client, HTTP)


@pytest.mark.parametrize(
    ("limits", "counted"),
    [
        ({"peers_per_address": 2}, "udp"),
        ({"handshakes_per_second": 2}, "udp"),
        ({"messages_per_second": 2}, "udp.receive"),
    ],
)
def test_datagrams_above_a_limit_are_dropped_before_the_bus(
    loop_thread: LoopThread, limits: dict[str, Any], counted: str
) -> None:
    section = {"bind": ["udp:127.0.0.1:0"], "limits": limits}
    rig = Rig(loop_thread, {"PLUGINS": {"udp": section}}, LayerPolicy())
    loop_thread.run(rig.server.start())
    address = rig.protocol("udp").ports[0].address
    senders = 1 if "messages_per_second" in limits else 20
    with ExitStack() as stack:
        stack.callback(rig.layer.close)
        stack.callback(lambda: loop_thread.run(rig.server.stop(0.01)))
        clients = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            for _ in range(senders)
        ]

        def send_all() -> None:  # the loop reads them at one time
            for number in range(20):
                client = clients[number % senders]
                client.setblocking(False)
                client.sendto(b"x", address)

        loop_thread.call(send_all)
        wait_until(lambda: rig.dropped(counted, "limit") == 18)
        waiting = rig.layer.statistics(["udp.receive"])["udp.receive"].waiting
        assert waiting == 2
