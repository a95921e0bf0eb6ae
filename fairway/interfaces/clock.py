"""Time for protocols: a coarse timer wheel on one timer of the loop.

Idle peers have deadlines by the ten thousand (pings, time-outs); none of them keeps a
handle of the loop.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
import time
from collections.abc import Callable

__all__ = ["Wheel"]

_TICK = 0.1
"""Seconds; what a call may be late."""

log = logging.getLogger("fairway.interfaces")


class _Timer:
    __slots__ = ("_bucket", "call")

    def __init__(self, bucket: dict[_Timer, None], call: Callable[[], None]) -> None:
        self._bucket = bucket
        self.call = call

    def cancel(self) -> None:
        self._bucket.pop(self, None)


def _call(timer: _Timer) -> None:
    try:
        timer.call()
    except Exception:  # one peer's deadline must not cost the others theirs
        log.exception("a timer's call failed")


class Wheel:
    """Steady time in seconds, and calls that may be a tenth of a second late."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._buckets: dict[int, dict[_Timer, None]] = {}
        self._ticks: list[int] = []
        self._armed: asyncio.TimerHandle | None = None
        self._armed_tick = 0
        self._closed = False
        self.now = time.monotonic
        """Returns the time."""

    def call_at(self, when: float, call: Callable[[], None]) -> _Timer:
        """Call at `when` or up to a tenth of a second later, never before."""
        tick = math.ceil(when / _TICK)
        if (bucket := self._buckets.get(tick)) is None:
            bucket = self._buckets[tick] = {}
            heapq.heappush(self._ticks, tick)
            self._arm()
        timer = _Timer(bucket, call)
        bucket[timer] = None
        return timer

    def close(self) -> None:
        """Never call again."""
        self._closed = True
        self._buckets.clear()
        self._ticks.clear()
        if self._armed is not None:
            self._armed.cancel()

    def _arm(self, overdue: float = 0.0) -> None:
        """Wait for the next tick; `overdue` seconds when it is in the past."""
        if not self._ticks or self._closed:
            return
        tick = self._ticks[0]
        if self._armed is not None:
            if self._armed_tick <= tick:
                return
            self._armed.cancel()
        self._armed_tick = tick
        delay = tick * _TICK - time.monotonic()
        self._armed = self._loop.call_later(
            delay if delay > 0.0 else overdue, self._turn
        )

    def _turn(self) -> None:
        self._armed_tick = -1  # whoever asks for a time now does not arm: we do it
        now = time.monotonic()
        due = []
        while self._ticks and self._ticks[0] * _TICK <= now:
            due.append(self._buckets.pop(heapq.heappop(self._ticks), {}))
        for bucket in due:
            for timer in list(bucket):
                if timer in bucket:  # else an earlier call cancelled it
                    del bucket[timer]  # a circle, else
                    _call(timer)
        self._armed = None
        # Who asks for the past again and again must not keep the loop to itself.
        self._arm(overdue=_TICK)
