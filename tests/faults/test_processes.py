"""Workers and interface servers that are killed and terminated under load."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest
import redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.faults.scene import Load, Record, Scene
from tests.support.processes import Process, wait_until
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

LEASE = 15.0
GRACE = 8.0
"""Of the site for faults."""
SLACK = 6.0
GOING_AWAY = 1012


async def open_socket(port: int) -> ClientConnection:
    """Open a WebSocket, which is then a member of the group of all."""
    socket = await connect(f"ws://127.0.0.1:{port}/", open_timeout=30, proxy=None)
    await asyncio.wait_for(socket.recv(), 30)
    return socket


@pytest.mark.full
def test_a_killed_worker_costs_at_most_what_it_had_taken(
    scene: Scene, record: Record
) -> None:
    port = scene.both()
    doomed = scene.worker()
    with Load(port, path="/nap/", clients=8) as load:
        doomed.kill()
        killed = time.monotonic()
        took = load.seconds_to_normal(killed)
        wait_until(lambda: len(load.answers) > 60, 60, "more answers")
    record("to normal", round(took, 2))
    record("lost", sum(answer.status != 200 for answer in load.answers))

    assert load.statuses() <= {200, 504}
    # Eight clients wait for answers, so no worker had more than these eight.
    assert sum(answer.status != 200 for answer in load.answers) <= 8
    load.check(scene.noted())


def test_a_terminated_worker_fails_no_request(scene: Scene) -> None:
    port = scene.both()
    old = scene.worker()
    with Load(port, path="/nap/", clients=8) as load:
        codes = []
        for _ in range(2):
            new = scene.worker()
            codes.append(old.stop())
            old = new
        load.wait_for(20)

    assert codes == [0, 0]
    assert load.statuses() == {200}
    load.check(scene.noted())


def test_requests_wait_while_the_only_worker_is_replaced(scene: Scene) -> None:
    _, port = scene.interface()
    old = scene.worker()
    with Load(port) as load:
        assert old.stop() == 0
        scene.worker()
        load.wait_for(20)

    assert load.statuses() == {200}
    load.check(scene.noted())


@pytest.mark.full
def test_a_killed_interface_server_leaves_its_groups_within_the_lease(
    scene: Scene, fresh_redis: RedisServer, record: Record
) -> None:
    scene.worker()
    doomed, first = scene.interface()
    _, second = scene.interface()

    async def scenario() -> None:
        lost = [await open_socket(first) for _ in range(5)]
        stays = await open_socket(second)
        assert _mailboxes_of_all(fresh_redis) == 2
        doomed.kill()
        killed = time.monotonic()
        count = 0
        while _mailboxes_of_all(fresh_redis) == 2:
            assert time.monotonic() < killed + LEASE + SLACK
            await stays.send(f"everyone {count}")
            assert await stays.recv() == f"everyone {count}"
            count += 1
            await asyncio.sleep(0.2)
        record("groups gone after", round(time.monotonic() - killed, 2))
        await stays.close()
        for socket in lost:
            await socket.close()

    asyncio.run(asyncio.wait_for(scenario(), 90))


def _mailboxes_of_all(server: RedisServer) -> int:
    with redis.Redis.from_url(server.url) as client:
        [group] = client.keys("fw:*:g:{all}")
        return int(client.scard(group))


def test_a_terminated_interface_server_fails_no_request_that_it_took(
    scene: Scene,
) -> None:
    scene.worker()
    process, port = scene.interface()
    with Load(port, path="/nap/", clients=8, pause=0.0) as load:
        process.child.send_signal(signal.SIGTERM)
        assert process.child.wait(30) == 0

    noted = scene.noted()
    unanswered = {answer.number for answer in load.answers if answer.status != 200}
    assert {str(number) for number in unanswered}.isdisjoint(noted)
    assert load.statuses() <= {200, 0}
    load.check(noted)


def test_sockets_of_a_terminated_interface_server_close_spread_over_the_grace(
    scene: Scene, record: Record
) -> None:
    scene.worker()
    process, port = scene.interface()

    async def ended(socket: ClientConnection, since: float) -> tuple[int, float]:
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            return code, time.monotonic() - since

    async def scenario() -> list[tuple[int, float]]:
        sockets = []
        for _ in range(10):
            sockets += await asyncio.gather(*(open_socket(port) for _ in range(30)))
        process.child.send_signal(signal.SIGTERM)
        since = time.monotonic()
        return await asyncio.gather(*(ended(each, since) for each in sockets))

    ends = asyncio.run(asyncio.wait_for(scenario(), 100))
    assert process.child.wait(30) == 0

    moments = sorted(moment for _, moment in ends)
    busiest = max(
        sum(begin <= moment < begin + 0.5 for moment in moments) for begin in moments
    )
    record("busiest half second of 300 closes", busiest)
    record("first and last", [round(moments[0], 2), round(moments[-1], 2)])
    assert {code for code, _ in ends} == {GOING_AWAY}
    assert moments[-1] < GRACE + SLACK
    # 300 over 4 s are 38 in half a second; a storm would be all of them.
    assert busiest < 150


@pytest.mark.full
def test_a_killed_worker_and_a_new_one_serve_the_sockets_that_stay_open(
    scene: Scene,
) -> None:
    worker = scene.worker()
    _, port = scene.interface()

    async def scenario() -> str | bytes:
        socket = await open_socket(port)
        worker.kill()
        await socket.send("mark 1")
        await asyncio.to_thread(_replaced, scene)
        answer = await asyncio.wait_for(socket.recv(), 30)
        await socket.close()
        return answer

    assert asyncio.run(asyncio.wait_for(scenario(), 90)) == "1"


def _replaced(scene: Scene) -> Process:
    return scene.worker()
