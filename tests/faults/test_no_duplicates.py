"""A hundred thousand numbered messages through fault after fault: none comes twice."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import suppress

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.faults.scene import Record, Scene
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.full, pytest.mark.timeout(700)]

MESSAGES = 100_000
SOCKETS = 8
AHEAD = 100
"""Numbers that a client sends before it waits for all of them."""
EVERY = 2.0
"""Seconds between two faults."""
MIB_MORE = 60.0


async def _talk(port: int, numbers: Iterator[int]) -> None:
    """Send each number once, on one connection after the other."""
    over = False
    while not over:
        with suppress(ConnectionClosed, InvalidStatus):
            url = f"ws://127.0.0.1:{port}/"
            async with connect(url, open_timeout=60, proxy=None) as socket:
                # Not all at once: it would all be in the buffers of the sockets, and
                # the first fault that closes them would lose it.
                while ahead := list(itertools.islice(numbers, AHEAD)):
                    for number in ahead:
                        await socket.send(f"mark {number}")
                    await _come_through(socket, f"after {ahead[-1]}")
                over = True


async def _come_through(socket: ClientConnection, text: str) -> None:
    """Send a text until it comes back; it may be lost as any other."""
    while True:
        await socket.send(text)
        with suppress(TimeoutError):
            async with asyncio.timeout(8):
                while await socket.recv() != text:
                    pass
                return


async def _break_things(server: RedisServer, proxy: Proxy) -> int:
    """Break something every now and then; return how often, when cancelled."""
    faults = itertools.cycle((_restart, _restore, _bite, _kill_all))
    count = 0
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(EVERY)
            await asyncio.shield(asyncio.to_thread(next(faults), server, proxy))
            count += 1
    return count


def _restart(server: RedisServer, proxy: Proxy) -> None:
    server.restart()


def _restore(server: RedisServer, proxy: Proxy) -> None:
    server.execute("SAVE")
    _restart(server, proxy)


def _bite(server: RedisServer, proxy: Proxy) -> None:
    proxy.bites = 4


def _kill_all(server: RedisServer, proxy: Proxy) -> None:
    server.execute("CLIENT", "KILL", "TYPE", "normal")


def test_none_of_100000_messages_is_consumed_twice(
    scene: Scene, fresh_redis: RedisServer, proxy: Proxy, record: Record
) -> None:
    scene.worker()
    port = scene.both()
    before = scene.resident()
    numbers = iter(range(MESSAGES))

    async def scenario() -> int:
        breaking = asyncio.create_task(_break_things(fresh_redis, proxy))
        await asyncio.gather(*(_talk(port, numbers) for _ in range(SOCKETS)))
        breaking.cancel()
        return await breaking

    faults = asyncio.run(asyncio.wait_for(scenario(), 600))

    noted = scene.noted()
    grown = [now - then for now, then in zip(scene.resident(), before, strict=True)]
    record("faults, consumed", (faults, len(noted)))
    record("grown MiB", [round(one, 1) for one in grown])
    assert max(noted.values()) == 1
    assert len(noted) > MESSAGES / 2
    assert scene.all_run()
    assert max(grown) < MIB_MORE
