"""Mounts that take a connection over."""

from __future__ import annotations

import asyncio
import threading

import pytest

from fairway.kit import Content, Exchange, PeerRefused, Stream
from tests.plugins.http.serving import (
    Client,
    Mounted,
    Serving,
    produce,
    serving,
    settled,
)
from tests.support.loop import LoopThread
from tests.support.waiting import wait_until


class Shout:
    """A protocol after an upgrade: says everything again, in capitals."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.ended = threading.Event()

    def received(self, data: bytes) -> None:
        self.stream.write(data.upper())

    def writable(self, ready: bool) -> None:
        pass

    def closed(self, reason: str) -> None:
        self.ended.set()


UPGRADE = ("Connection: Upgrade", "Upgrade: websocket")


def test_an_upgrade_hands_the_stream_over_with_what_came_early(
    loop_thread: LoopThread,
) -> None:
    shouts: list[Shout] = []

    def accept(stream: Stream) -> Shout:
        shouts.append(Shout(stream))
        return shouts[0]

    def open_(exchange: Exchange) -> None:
        exchange.upgrade([(b"x-a", b"b")], accept)

    mounted = Mounted().add("/", open_, upgrade="websocket")
    with serving(loop_thread, mounted=mounted) as served:
        with Client(served) as client:
            client.get("/")
            assert client.response().body == b"hello"
            head = "\r\n".join(["GET / HTTP/1.1", "Host: a", *UPGRADE, "", "early"])
            client.send(head.encode())
            response = client.response()
            assert (response.status, response.headers["x-a"]) == (101, "b")
            assert client.read(5) == b"EARLY"
            client.send(b"late")
            assert client.read(4) == b"LATE"

        assert shouts[0].ended.wait(10)
        assert served.call(lambda: served.http._connections) == set()


def test_an_upgrade_behind_an_answer_that_waits_on_disk_fails(
    loop_thread: LoopThread,
) -> None:
    seen: list[int] = []

    def stream(served: Serving, event: Content) -> None:
        produce(served, event, 40, seen)

    def open_(exchange: Exchange) -> None:
        exchange.upgrade([], Shout)

    mounted = Mounted().add("/up", open_, upgrade="websocket")
    with (
        serving(loop_thread, {"/": stream}, mounted=mounted) as served,
        Client(served, receive_buffer=16 * 1024) as client,
    ):
        client.get()
        client.get("/up", *UPGRADE)

        wait_until(lambda: len(seen) == 40)
        assert client.status() == 200
        assert client.status() == 500
        settled(served)


@pytest.mark.parametrize(
    "error", [PeerRefused("peers", "192.0.2.1:5"), ValueError("a bug")]
)
def test_an_upgrade_that_nobody_takes_over_is_cut(
    loop_thread: LoopThread, error: Exception
) -> None:
    def accept(stream: Stream) -> Shout:
        raise error

    def open_(exchange: Exchange) -> None:
        asyncio.get_running_loop().call_soon(exchange.upgrade, [], accept)

    mounted = Mounted().add("/", open_, upgrade="websocket")
    with serving(loop_thread, mounted=mounted) as served, Client(served) as client:
        client.get("/", *UPGRADE)

        client.read_to_end()
        told = (
            [] if isinstance(error, PeerRefused) else [("mounted", "accept", "a bug")]
        )
        assert mounted.failures == told


class Faulty(Shout):
    """A protocol after an upgrade that fails in what a client names."""

    fails_in = ""

    def received(self, data: bytes) -> None:
        self.fails_in = data.decode()
        if self.fails_in == "received":
            raise ValueError("a bug")
        self.stream.close()

    def closed(self, reason: str) -> None:
        if self.fails_in == "closed":
            raise ValueError("a bug")


@pytest.mark.parametrize("method", ["received", "closed"])
def test_a_failure_after_an_upgrade_is_told_of_the_plugin_that_took_it(
    loop_thread: LoopThread, method: str
) -> None:
    mounted = Mounted().add("/", lambda e: e.upgrade([], Faulty), upgrade="websocket")
    with serving(loop_thread, mounted=mounted) as served, Client(served) as client:
        client.get("/", *UPGRADE)
        assert client.status() == 101
        client.send(method.encode())

        client.read_to_end()
        wait_until(lambda: mounted.failures == [("mounted", method, "a bug")])


def test_a_mount_that_fails_is_told(loop_thread: LoopThread) -> None:
    def open_(exchange: Exchange) -> None:
        raise ValueError("a bug")

    mounted = Mounted().add("/", open_)
    with serving(loop_thread, mounted=mounted) as served, Client(served) as client:
        client.get("/")

        assert client.status() == 500
        assert mounted.failures == [("mounted", "open", "a bug")]
