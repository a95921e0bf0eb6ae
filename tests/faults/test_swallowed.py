"""What a fault of Redis has swallowed: clients hear so soon, and the rest goes on."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from websockets.sync.client import connect

from fairway.interfaces.canary import LATE
from fairway.interfaces.losses import REPRIEVE
from tests.faults.scene import Record, Scene, ask
from tests.support.processes import wait_until
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

DEFAULTS = {"answer_timeout": 60.0}
SLACK = 6.0
"""Seconds that reconnecting and a busy machine may add."""


def _wait_on_bus(server: RedisServer, count: int) -> None:
    """Wait until so many channels hold something."""
    wait_until(lambda: len(server.execute("KEYS", "fw:*:q:*")) == count, 20, "events")


def _restart(server: RedisServer) -> float:
    """Restart Redis; return when it was back."""
    server.restart()
    return time.monotonic()


def test_what_a_restart_swallowed_is_given_up_soon(
    scene: Scene, fresh_redis: RedisServer, record: Record
) -> None:
    scene.settings["http"] = DEFAULTS
    scene.settings["EXPIRIES"] = {}
    worker = scene.worker()
    process, port = scene.interface()
    url = f"ws://127.0.0.1:{port}/"
    with connect(url, proxy=None) as socket, ThreadPoolExecutor() as clients:
        socket.recv(30)
        assert worker.stop() == 0
        socket.send("mark 1")
        asking = clients.submit(ask, port, "/mark/2", timeout=60.0)
        _wait_on_bus(fresh_redis, 2)
        back = _restart(fresh_redis)
        scene.worker()
        socket.send("mark 3")

        assert asking.result(60)[0] == 503
        record("503 after", round(time.monotonic() - back, 2))
        assert time.monotonic() - back < REPRIEVE + SLACK
        assert socket.recv(30) == "3"
        record("next event after", round(time.monotonic() - back, 2))
        assert time.monotonic() - back < REPRIEVE + SLACK
    assert scene.noted().keys() == {"3"}
    assert "on websocket.receive: failover" in process.output()
    assert "on http: failover" in process.output()


def _asked(clients: ThreadPoolExecutor, port: int, path: str) -> Future[object]:
    return clients.submit(ask, port, path, timeout=60.0)


@pytest.mark.full
def test_what_workers_are_at_is_answered_after_a_restart(
    scene: Scene, fresh_redis: RedisServer, record: Record
) -> None:
    scene.settings["http"] = DEFAULTS
    port = scene.both()
    with ThreadPoolExecutor() as clients:
        waiting = _asked(clients, port, "/wait")
        resting = _asked(clients, port, f"/rest/{REPRIEVE + SLACK:.0f}")
        wait_until(lambda: scene.noted().keys() == {"waiting", "resting"}, 20, "both")
        # The member is acknowledged when the consumer has ended and left its sends.
        wait_until(lambda: fresh_redis.execute("KEYS", "*g:{waiting}"), 20, "a member")
        back = _restart(fresh_redis)

        assert resting.result(60) == (200, b"rested")
        record("answered after", round(time.monotonic() - back, 2))
        assert time.monotonic() - back > REPRIEVE
        assert ask(port, "/release") == (200, b"done")
        assert waiting.result(60) == (200, b"released")


@pytest.mark.full
def test_a_request_on_a_bus_that_stands_still_is_told_503_within_the_patience(
    scene: Scene, fresh_redis: RedisServer, record: Record
) -> None:
    scene.settings["http"] = DEFAULTS
    process, port = scene.interface()
    with ThreadPoolExecutor() as clients:
        asking = _asked(clients, port, "/mark/1")
        _wait_on_bus(fresh_redis, 1)
        fresh_redis.pause()
        began = time.monotonic()
        asking.result(60)
        record("503 after", round(time.monotonic() - began, 2))

        assert asking.result()[0] == 503  # type: ignore[index]
        assert time.monotonic() - began < LATE + SLACK
        fresh_redis.resume()
    assert process.child.poll() is None
