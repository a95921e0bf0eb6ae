"""Thousands of waiting requests on one interface server."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import pytest

from fairway.kit import Deadline
from tests.support.loop import wait_until

from .conftest import Served

pytestmark = [pytest.mark.full, pytest.mark.timeout(240)]

CLIENTS = 5_000
HEAD = b"%b /poll/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
ROOM = {
    "peers_per_address": 2 * CLIENTS,
    "handshakes_per_second": 1e6,
    "messages_per_second": 1e6,
}


class Waiter(asyncio.Protocol):
    """One client: begins, waits, and has heard."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.heard: list[Any] = []
        self.token = ""
        self._changed = changed
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(HEAD % b"POST" + b"Content-Length: 0\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, mark, body = self._buffer.partition(b"\r\n\r\n")
        if not mark or not body.endswith(b"}"):
            return
        self._buffer = b""
        assert head.startswith(b"HTTP/1.1 200"), head
        answer = json.loads(body)
        if not self.token:
            self.token = answer["token"]
            token = b"Fairway-Token: %b\r\n\r\n" % self.token.encode()
            self.transport.write(HEAD % b"GET" + token)
        else:
            self.heard += answer["messages"]
        self._changed()


def test_one_message_to_a_group_reaches_five_thousand_and_nothing_is_kept_for_each(
    serve_polls: Callable[..., Served],
) -> None:
    served = serve_polls(limits=ROOM, poll_timeout=200.0, idle_timeout=200.0)

    heard, kept, tasks = asyncio.run(_crowd(served))

    assert heard == {("hello",): CLIENTS}
    assert tasks < 20
    for kind in ("Task", "TimerHandle", "Queue", "_Timer"):
        assert kept[kind] < 100, kind
    ours = {kind for kind, count in kept.items() if kind[0] == "." and count > 100}
    assert ours == {".Session", ".LongPollMapping", ".Outbox", ".LocalWay"}


def _kind(one: Any) -> str:
    """Name the type of an object, with a dot before those of long-poll."""
    name = type(one).__name__
    if name == "_Timer" and type(getattr(one.call, "__self__", None)) is Deadline:
        return "timer of a connection of http, from its head"
    ours = str(type(one).__module__).startswith("fairway.plugins.longpoll")
    return "." * ours + name


async def _crowd(served: Served) -> tuple[Counter[Any], Counter[str], int]:
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    waiters: list[Waiter] = []
    for at in range(0, CLIENTS, 100):
        made = [
            loop.create_connection(
                lambda: Waiter(changed.set), "127.0.0.1", served.ports[0]
            )
            for _ in range(at, min(at + 100, CLIENTS))
        ]
        waiters += [waiter for _, waiter in await asyncio.gather(*made)]
        while not all(waiter.token for waiter in waiters):
            changed.clear()
            await changed.wait()
    protocol = served.protocol()
    await asyncio.to_thread(wait_until, lambda: len(protocol.waiting) == CLIENTS)
    kept = Counter(map(_kind, gc.get_objects()))
    tasks = served.loop.call(lambda: len(asyncio.all_tasks()))

    served.broadcast("all", text="hello")
    while not all(waiter.heard for waiter in waiters):
        changed.clear()
        await changed.wait()
    for waiter in waiters:
        waiter.transport.abort()
    await asyncio.sleep(0.1)
    return Counter(tuple(waiter.heard) for waiter in waiters), kept, tasks
