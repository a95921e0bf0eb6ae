"""What WebSockets see of outages, and how processes start and stop during them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.faults.scene import Load, Record, Scene
from tests.support.processes import wait_until
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

TRY_AGAIN_LATER = 1013
GRACE = 8.0
"""Of the site for faults."""
SLACK = 6.0


@contextmanager
def _open(port: int) -> Iterator[ClientConnection]:
    url = f"ws://127.0.0.1:{port}/"
    with connect(url, open_timeout=30, close_timeout=1, proxy=None) as socket:
        socket.recv(30)
        yield socket


def test_members_of_groups_are_members_again_after_a_restart(
    scene: Scene, fresh_redis: RedisServer, record: Record
) -> None:
    port = scene.both()
    with _open(port) as hearer, _open(port) as sender:
        fresh_redis.restart()
        began = time.monotonic()
        count = 0
        while True:
            sender.send(f"everyone {count}")
            with suppress(TimeoutError):
                hearer.recv(0.5)
                break
            count += 1
            assert time.monotonic() < began + 30
        record("heard again after", round(time.monotonic() - began, 2))


def test_no_event_of_a_socket_is_consumed_twice_or_out_of_order_by_a_restart(
    scene: Scene, fresh_redis: RedisServer
) -> None:
    port = scene.both()
    with _open(port) as socket:
        for number in range(200):
            socket.send(f"mark {number}")
            if number == 100:
                fresh_redis.restart()
        socket.send("mark 200")
        heard: list[int] = []
        while not heard or heard[-1] != 200:
            heard.append(int(socket.recv(30)))

    assert heard == sorted(set(heard))
    assert max(scene.noted().values()) == 1


@pytest.mark.full
def test_a_socket_whose_events_do_not_get_through_is_closed_with_1013(
    scene: Scene, fresh_redis: RedisServer, record: Record
) -> None:
    port = scene.both()
    with _open(port) as socket:
        fresh_redis.kill()
        time.sleep(0.5)
        began = time.monotonic()
        socket.send("mark 1")
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(60)
        record("closed after", round(time.monotonic() - began, 2))

    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == TRY_AGAIN_LATER


@pytest.mark.full
@pytest.mark.parametrize("how", ["kill", "pause"])
def test_all_processes_stop_in_time_while_redis_is_away(
    scene: Scene, fresh_redis: RedisServer, record: Record, how: str
) -> None:
    worker = scene.worker()
    interface, port = scene.interface()
    with _open(port):
        getattr(fresh_redis, how)()
        began = time.monotonic()
        codes = [worker.stop(), interface.stop()]
        took = time.monotonic() - began
    record("stopped after", round(took, 2))

    assert codes == [0, 0]
    assert took < 2 * GRACE + SLACK


def test_a_worker_and_an_interface_server_wait_for_a_redis_that_starts_later(
    scene: Scene, fresh_redis: RedisServer, record: Record
) -> None:
    fresh_redis.kill()
    scene.worker()
    _, port = scene.interface(waits=False)
    fresh_redis.start()
    began = time.monotonic()
    with Load(port) as load:
        record("served after", round(time.monotonic() - began, 2))

    assert load.statuses() == {200}


def test_a_consumer_that_ends_during_a_short_outage_still_answers(
    scene: Scene, fresh_redis: RedisServer
) -> None:
    port = scene.both()
    with _open(port) as socket:
        socket.send("sleep 2")
        time.sleep(0.5)
        fresh_redis.kill()
        wait_until(lambda: scene.noted()["slept"], 20, "the consumer's end")
        fresh_redis.start()

        assert socket.recv(30) == "sleep 2"
