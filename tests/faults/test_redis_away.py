"""What clients see while Redis is away, refuses or is slow, and how long after."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.scene import Load, Record, Scene, ask, is_ready
from tests.support.processes import wait_until
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

ANSWER_TIMEOUT = 12.0
"""Of the site for faults: what was on the bus when it broke is given up then."""
PATIENCE = 10.0
"""Of http.request: what the bus does not take is refused then."""
SLACK = 6.0
"""Seconds that a busy machine may add."""
REFUSED = {503, 504}
MIB_MORE = 30.0


def _check(scene: Scene, load: Load, before: list[float], record: Record) -> None:
    """Assert what holds after every fault."""
    longest = load.longest()
    record("longest wait", round(longest, 2))
    record("statuses", sorted(load.statuses()))
    assert load.statuses() <= {200, *REFUSED}
    assert longest < max(PATIENCE, ANSWER_TIMEOUT) + SLACK
    load.check(scene.noted())
    assert scene.all_run()
    after = scene.resident()
    grown = [now - then for now, then in zip(after, before, strict=True)]
    record("grown MiB", [round(one, 1) for one in grown])
    assert max(grown) < MIB_MORE


@pytest.mark.full
def test_a_killed_redis_costs_clients_a_503_in_time(
    scene: Scene, fresh_redis: RedisServer, record: Record
) -> None:
    port = scene.both()
    before = scene.resident()
    with Load(port) as load:
        fresh_redis.kill()
        wait_until(lambda: 503 in load.statuses(), 30, "a 503")
        assert scene.all_run()
        fresh_redis.start()
        took = load.seconds_to_normal(time.monotonic())
    record("to normal", round(took, 2))
    _check(scene, load, before, record)
    wait_until(lambda: is_ready(port), 20, "readiness")


def test_a_restart_without_a_snapshot_is_waited_out(
    scene: Scene, fresh_redis: RedisServer, record: Record
) -> None:
    port = scene.both()
    before = scene.resident()
    with Load(port) as load:
        fresh_redis.restart()
        took = load.seconds_to_normal(time.monotonic())
    record("to normal", round(took, 2))
    _check(scene, load, before, record)


@pytest.mark.full
def test_a_restart_with_a_snapshot_repeats_nothing(
    scene: Scene, fresh_redis: RedisServer, record: Record
) -> None:
    port = scene.both()
    before = scene.resident()
    with Load(port) as load:
        for _ in range(5):
            load.wait_for(20)
            fresh_redis.execute("SAVE")
        fresh_redis.restart()
        took = load.seconds_to_normal(time.monotonic())
    record("to normal", round(took, 2))
    _check(scene, load, before, record)


@pytest.mark.full
def test_a_paused_redis_hangs_nobody(
    scene: Scene, fresh_redis: RedisServer, record: Record
) -> None:
    port = scene.both()
    before = scene.resident()
    with Load(port) as load:
        fresh_redis.pause()
        wait_until(lambda: load.statuses() & REFUSED, 30, "a refusal")
        fresh_redis.resume()
        took = load.seconds_to_normal(time.monotonic())
    record("to normal", round(took, 2))
    _check(scene, load, before, record)


FAULTS = ["without_replicas", "without_memory", "demoted", "locked"]
"""Methods of `RedisServer`."""


@pytest.mark.full
@pytest.mark.parametrize("fault", FAULTS)
def test_a_redis_that_refuses_costs_clients_a_503_in_time(
    scene: Scene, fresh_redis: RedisServer, record: Record, fault: str
) -> None:
    scene.settings["http"] = {"answer_timeout": 60.0}
    port = scene.both()
    before = scene.resident()
    with Load(port) as load, ThreadPoolExecutor() as clients:
        # A consumer is at it when the fault begins: nothing carries its answer.
        resting = clients.submit(ask, port, "/rest/1", timeout=60.0)
        wait_until(lambda: "resting" in scene.noted(), 20, "a consumer at work")
        began = time.monotonic()
        with getattr(fresh_redis, fault)():
            wait_until(lambda: 503 in load.statuses(), 30, "a 503")
            assert resting.result()[0] == 503
            record("503 for what was taken", round(time.monotonic() - began, 2))
        took = load.seconds_to_normal(time.monotonic())
    record("to normal", round(took, 2))
    _check(scene, load, before, record)
    assert load.statuses() == {200, 503}


@pytest.mark.full
def test_connections_cut_in_the_middle_of_an_answer_are_made_again(
    scene: Scene, proxy: Proxy, record: Record
) -> None:
    port = scene.both()
    before = scene.resident()
    with Load(port) as load:
        for _ in range(10):
            proxy.bites = 2
            load.wait_for(5)
        proxy.cut()
        took = load.seconds_to_normal(time.monotonic())
    record("to normal", round(took, 2))
    _check(scene, load, before, record)


@pytest.mark.full
def test_a_redis_that_is_50_ms_away_only_costs_time(
    scene: Scene, proxy: Proxy, record: Record
) -> None:
    port = scene.both()
    before = scene.resident()
    with Load(port) as load:
        proxy.delay = 0.05
        load.wait_for(100)
        proxy.delay = 0.0
        took = load.seconds_to_normal(time.monotonic())
    record("to normal", round(took, 2))
    assert load.statuses() == {200}
    _check(scene, load, before, record)


def test_a_wrong_password_is_named_and_the_server_lives_but_is_not_ready(
    scene: Scene, fresh_redis: RedisServer
) -> None:
    fresh_redis.execute("CONFIG", "SET", "requirepass", "right")
    scene.layer = fresh_redis.url.replace("//", "//:guess@")

    process, port = scene.interface(waits=False)
    wait_until(lambda: "wrong username or password" in process.output(), 30, "the word")

    assert ask(port, "/-/ready") == (503, b"the channel layer does not deliver\n")
    assert ask(port, "/-/live") == (200, b"live\n")
    assert "guess" not in process.output()


@pytest.mark.full
def test_readiness_is_red_while_redis_is_away_and_green_after(
    scene: Scene, fresh_redis: RedisServer, record: Record
) -> None:
    _, port = scene.interface()
    fresh_redis.kill()
    began = time.monotonic()
    wait_until(lambda: not is_ready(port), 30, "readiness turns red")
    record("red after", round(time.monotonic() - began, 2))
    fresh_redis.start()
    began = time.monotonic()
    wait_until(lambda: is_ready(port), 30, "readiness turns green")
    record("green after", round(time.monotonic() - began, 2))
