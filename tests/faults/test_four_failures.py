"""What users of every such system report: it must not exist here."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.sync.client import connect as connect_now

from tests.faults.scene import Load, Record, Scene, ask, is_ready
from tests.support.processes import wait_until
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

THREADS = 8
SLOW = 3.0
"""Seconds that a slow consumer takes."""
FAST = 200


def _kill_subscriptions(server: RedisServer) -> int:
    """Kill all connections that wait for messages; return how many they were."""
    with server.client() as client:
        waiting = [c["id"] for c in client.client_list() if c["cmd"] == "blmpop"]
        return sum(client.client_kill_filter(_id=one) for one in waiting)


def test_a_killed_subscription_makes_nobody_deaf(
    scene: Scene, fresh_redis: RedisServer, record: Record
) -> None:
    port = scene.both()
    with connect_now(f"ws://127.0.0.1:{port}/", proxy=None) as socket:
        socket.recv(30)
        wait_until(lambda: _kill_subscriptions(fresh_redis) >= 2, 20, "both killed")
        began = time.monotonic()
        socket.send("everyone hears")

        assert socket.recv(30) == "everyone hears"
        record("heard again after", round(time.monotonic() - began, 2))
    assert is_ready(port)


@pytest.mark.full
def test_lost_packets_turn_readiness_red_and_it_recovers(
    scene: Scene, proxy: Proxy, record: Record
) -> None:
    port = scene.both()
    with connect_now(f"ws://127.0.0.1:{port}/", proxy=None) as socket:
        socket.recv(30)
        proxy.swallows = True
        began = time.monotonic()
        wait_until(lambda: not is_ready(port), 30, "readiness turns red")
        record("red after", round(time.monotonic() - began, 2))
        proxy.swallows = False
        began = time.monotonic()
        wait_until(lambda: is_ready(port), 30, "readiness turns green")
        record("green after", round(time.monotonic() - began, 2))
        socket.send("everyone hears")

        assert socket.recv(30) == "everyone hears"


@pytest.mark.full
def test_a_mailbox_that_cannot_be_read_turns_readiness_red_until_it_can(
    scene: Scene, fresh_redis: RedisServer, record: Record
) -> None:
    process, port = scene.interface()
    began = time.monotonic()
    with fresh_redis.client() as thief:
        [mailbox] = [key.partition(b"l:")[2] for key in thief.keys("fw:*:l:*")]
        prefix = thief.keys("fw:*:l:*")[0].partition(b"l:")[0]
        queue = prefix + b"m:" + mailbox
        # A list that cannot be read as one makes every take fail.
        while is_ready(port):
            thief.delete(queue)
            thief.set(queue, "no list")
            assert time.monotonic() < began + 40
            time.sleep(0.02)
        record("red after", round(time.monotonic() - began, 2))
        thief.delete(queue)
    wait_until(lambda: is_ready(port), 30, "readiness turns green")

    assert process.child.poll() is None


def test_what_is_dropped_is_counted_by_channel_and_reason(scene: Scene) -> None:
    scene.settings["CAPACITIES"] = {"http.request": 3}
    process, port = scene.interface()
    with Load(port, clients=1, path="/-/live?") as load:
        with ThreadPoolExecutor(20) as clients:
            answers = clients.map(lambda n: ask(port, f"/mark/{n}"), range(20))
            statuses = [status for status, _ in answers]
        load.wait_for(5)

    # Three wait on the channel for a worker that never comes.
    assert sorted(set(statuses)) == [503, 504]
    assert statuses.count(504) == 3
    wait_until(lambda: "on http.request: full" in process.output(), 20, "a log line")
    assert process.output().count("on http.request: full") < 5


@pytest.mark.parametrize("slow", [pytest.param(1, marks=pytest.mark.full), THREADS - 1])
def test_slow_consumers_block_no_fast_one(
    scene: Scene, record: Record, slow: int
) -> None:
    scene.worker(threads=THREADS)
    _, port = scene.interface()

    async def scenario() -> None:
        sockets = [await _open(port) for _ in range(slow)]
        fast = await _open(port)
        usual = await _echoes(fast, FAST)
        for socket in sockets:
            await socket.send(f"sleep {SLOW}")
        beside = await _echoes(fast, FAST)
        assert scene.noted()["slept"] == 0
        for socket in sockets:
            assert await asyncio.wait_for(socket.recv(), 30) == f"sleep {SLOW}"
            await socket.close()
        await fast.close()
        record("p99 in ms alone, beside", (_p99(usual), _p99(beside)))

    asyncio.run(asyncio.wait_for(scenario(), 100))


async def _open(port: int) -> ClientConnection:
    socket = await connect(f"ws://127.0.0.1:{port}/", open_timeout=30, proxy=None)
    await asyncio.wait_for(socket.recv(), 30)
    return socket


async def _echoes(socket: ClientConnection, count: int) -> list[float]:
    """Send and wait, again and again; return how many seconds each took."""
    took = []
    for number in range(count):
        began = time.monotonic()
        await socket.send(f"echo {number}")
        assert await asyncio.wait_for(socket.recv(), 30) == f"echo {number}"
        took.append(time.monotonic() - began)
    return took


def _p99(seconds: list[float]) -> float:
    return round(1000 * sorted(seconds)[int(len(seconds) * 0.99)], 2)
