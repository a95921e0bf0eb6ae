"""The timer wheel on a real loop."""

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from fairway.core.plugin.wire import Timer
from fairway.interfaces.clock import Wheel
from tests.support.loop import LoopThread, wait_until


@pytest.fixture
def wheel(loop_thread: LoopThread) -> Iterator[Wheel]:
    wheel = loop_thread.call(lambda: Wheel(loop_thread.loop))
    yield wheel
    loop_thread.call(wheel.close)


def test_a_call_comes_at_its_time_and_never_before(
    loop_thread: LoopThread, wheel: Wheel
) -> None:
    calls: list[float] = []
    due = wheel.now() + 0.25

    loop_thread.call(lambda: wheel.call_at(due, lambda: calls.append(wheel.now())))

    wait_until(lambda: calls)
    assert calls[0] >= due


def test_calls_come_in_the_order_of_their_times(
    loop_thread: LoopThread, wheel: Wheel
) -> None:
    calls: list[int] = []
    now = wheel.now()

    def arm() -> None:
        for number in (3, 1, 2):
            wheel.call_at(now + number / 10, lambda n=number: calls.append(n))  # type: ignore[misc]

    loop_thread.call(arm)

    wait_until(lambda: calls == [1, 2, 3])


def test_what_is_cancelled_is_not_called(loop_thread: LoopThread, wheel: Wheel) -> None:
    calls: list[str] = []
    now = wheel.now()

    def arm() -> None:
        first = wheel.call_at(now + 0.1, lambda: calls.append("first"))
        second = wheel.call_at(now + 0.1, lambda: calls.append("second"))
        wheel.call_at(now + 0.1, lambda: second.cancel())
        wheel.call_at(now + 0.2, lambda: calls.append("last"))
        first.cancel()
        first.cancel()

    loop_thread.call(arm)

    wait_until(lambda: "last" in calls)
    assert calls == ["second", "last"]


def test_a_call_may_cancel_one_of_the_same_moment(
    loop_thread: LoopThread, wheel: Wheel
) -> None:
    calls: list[str] = []
    now = wheel.now()

    def arm() -> None:
        timers: list[Timer] = []
        wheel.call_at(now + 0.1, lambda: timers[0].cancel())
        timers.append(wheel.call_at(now + 0.1, lambda: calls.append("cancelled")))
        wheel.call_at(now + 0.1, lambda: calls.append("last"))

    loop_thread.call(arm)

    wait_until(lambda: calls == ["last"])


def test_a_call_that_fails_hurts_no_other(
    loop_thread: LoopThread, wheel: Wheel, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []
    now = wheel.now()

    def fail() -> None:
        raise ValueError("a bug")

    def arm() -> None:
        wheel.call_at(now + 0.1, fail)
        wheel.call_at(now + 0.1, lambda: calls.append("last"))

    loop_thread.call(arm)

    wait_until(lambda: calls == ["last"])
    assert "a bug" in caplog.text


def test_a_deadline_that_stays_in_the_past_leaves_the_loop_to_others(
    loop_thread: LoopThread, wheel: Wheel
) -> None:
    calls: list[float] = []
    due = wheel.now()

    def again() -> None:
        calls.append(wheel.now())
        if len(calls) < 4:
            wheel.call_at(due, again)

    loop_thread.call(lambda: wheel.call_at(due, again))

    wait_until(lambda: len(calls) == 4)
    pauses = [then - before for before, then in pairwise(calls)]
    assert min(pauses) > 0.05


def test_a_closed_wheel_calls_nobody(loop_thread: LoopThread) -> None:
    calls: list[str] = []
    other = loop_thread.call(lambda: Wheel(loop_thread.loop))
    wheel = loop_thread.call(lambda: Wheel(loop_thread.loop))
    due = time.monotonic() + 0.2

    def arm_and_close() -> None:
        wheel.call_at(due, lambda: calls.append("closed"))
        wheel.close()

    loop_thread.call(arm_and_close)
    loop_thread.call(lambda: wheel.call_at(0.0, lambda: calls.append("too late")))
    loop_thread.call(lambda: other.call_at(due, lambda: calls.append("other")))

    wait_until(lambda: calls)
    assert calls == ["other"]
    loop_thread.call(other.close)


def test_idle_peers_cost_the_loop_one_timer(
    loop_thread: LoopThread, wheel: Wheel
) -> None:
    def arm() -> int:
        now = wheel.now()
        for number in range(10_000):
            wheel.call_at(now + 10 + number % 50, lambda: None)
        return len(wheel._buckets)

    assert loop_thread.call(arm) <= 51
