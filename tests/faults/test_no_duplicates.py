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

pytestmark = [pytest.mark.full, pytest.mark.timeout(400)]

MESSAGES = 100_000
SOCKETS = 8
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
                ended = asyncio.Event()
                hearing = asyncio.create_task(_hear(socket, ended))
                for number in numbers:
                    await socket.send(f"mark {number}")
                while not ended.is_set():
                    await socket.send("end")  # the last one may be lost as any other
                    with suppress(TimeoutError):
                        await asyncio.wait_for(ended.wait(), 8)
                over = True
                hearing.cancel()


async def _hear(socket: ClientConnection, ended: asyncio.Event) -> None:
    with suppress(ConnectionClosed):
        while await socket.recv() != "end":
            pass
    ended.set()


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

    faults = asyncio.run(asyncio.wait_for(scenario(), 360))

    noted = scene.noted()
    grown = [now - then for now, then in zip(scene.resident(), before, strict=True)]
    record("faults, consumed", (faults, len(noted)))
    record("grown MiB", [round(one, 1) for one in grown])
    assert max(noted.values()) == 1
    assert len(noted) > MESSAGES / 2
    assert scene.all_run()
    assert max(grown) < MIB_MORE
