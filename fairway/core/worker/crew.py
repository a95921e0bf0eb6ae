"""The crew loop: a leader takes and consumes; who would keep it leaves the lead.

One thread leads: it takes a batch and runs short consumers itself, so that most
messages change no thread. Before a consumer that usually runs for long it hands the
lead to the heir. The heir waits for an alarm that the leader puts off as it goes on:
when a consumer runs for longer than was expected, the heir sends the replies that are
ready and takes over the lead and the rest of the batch.

There is one thread more than may consume, so that somebody watches even then. The
leader takes only while that is so; what it took is finished by the watcher itself,
should it come to that. With `threads` = 1 the watcher sees to replies only.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from fairway.core.bus.layer import Delivery
from fairway.core.worker.alarm import Alarm, PollingAlarm, TimerAlarm
from fairway.core.worker.loop import Consume, Loop, LoopParts
from fairway.core.worker.pace import HORIZON, SHORT

__all__ = ["CrewLoop"]

_PATIENCE = HORIZON / 2
"""Seconds after which the heir takes over from a leader that consumes."""


class CrewLoop(Loop):
    """See the module."""

    SPARE = 1
    ALARM: Callable[[], Alarm] = TimerAlarm if sys.platform == "linux" else PollingAlarm
    """What wakes the heir."""

    def __init__(self, parts: LoopParts) -> None:
        super().__init__(parts)
        self._takes_over = len(parts.crew) > 1 + self.SPARE
        # The leader's own; whoever becomes the leader goes on with it.
        self._batch: deque[Delivery] = deque()
        # Guards the four below. Who leads, and whether its consumer has ended, is one
        # decision: otherwise two might lead.
        self._mutex = threading.Lock()
        self._leader: Consume | None = None
        self._started = 0.0
        self._followers = 0
        self._alarm = self.ALARM()
        # Followers queue up for it; who has it is the heir.
        self._heirship = threading.Lock()
        self._take_line = threading.Lock()

    def _receive(self) -> None:
        self._stopping.wait()
        # A take that was under way has ended once its line is free; none follows.
        with self._take_line:
            pass

    def _serve(self, me: Consume) -> None:
        self._follow(me)
        while self._lead(me):
            self._follow(me)

    def _retire(self, me: Consume) -> None:
        self._resign(me)
        super()._retire(me)

    def _has_room(self) -> bool:
        return self._followers > 0

    def _leave_behind(self) -> list[Delivery]:
        left = []
        with suppress(IndexError):
            while True:
                left.append(self._batch.popleft())
        return left

    # Following.

    def _follow(self, me: Consume) -> None:
        """Wait until this thread leads."""
        with self._mutex:
            self._followers += 1
        self._tell_room()
        with self._heirship:
            while not self._succeeds(me):
                self._alarm.wait()
                started = self._started
                if not started:
                    continue
                self._out.flush()
                if self._is_late(started) and self._succeeds(me, started):
                    break

    def _is_late(self, started: float) -> bool:
        """Return whether to take over; if it is too early, have the alarm say when."""
        if not self._takes_over:
            return False
        with self._mutex:
            end = started + _PATIENCE
            late = time.monotonic() >= end
            if not late and self._started == started:
                self._alarm.set(end)
        return late

    def _succeeds(self, me: Consume, started: float | None = None) -> bool:
        """Become the leader if there is none, or it has consumed since `started`."""
        with self._mutex:
            if self._leader is not None and (
                started is None or self._started != started
            ):
                return False
            self._leader = me
            self._started = 0.0
            self._followers -= 1
            return True

    # Leading.

    def _lead(self, me: Consume) -> bool:
        """Take and consume; returns whether to follow another, False at the end."""
        begins = partial(self._begins, me)
        while True:
            try:
                delivery = self._batch.popleft()
            except IndexError:
                if not self._take():
                    return False
                continue
            me.consume(delivery, begins)
            with self._mutex:
                leads = self._leader is me
                self._started = 0.0 if leads else self._started
            if not leads:
                self._out.flush()
                return True
            if time.monotonic() > self._out.since + HORIZON:
                self._out.flush()

    def _take(self) -> bool:
        """Send what is ready and fill the batch; returns False at the end of taking."""
        if not self._has_room():
            self._out.flush()
            self._wait_for_room()
        with self._take_line:
            stopping = self._stopping.is_set()
            if not stopping:
                limit = self._pace.limit(self._followers)
                taken = self._out.flush_and_take(self._receiver, limit)
                self._batch.extend(self._sieve(taken))
        if stopping:
            self._out.flush()
        return not stopping

    def _begins(self, me: Consume, usual: float) -> None:
        """A consumer is about to run; called by the thread that will run it."""
        if usual > SHORT and self._takes_over and self._followers > 1:
            self._resign(me)
        now, due = time.monotonic(), self._out.since + HORIZON
        if usual > SHORT or self._leader is not me or now + 2 * usual > due:
            # A ready reply does not wait for this one. A flush is no running time.
            self._out.flush()
            now, due = time.monotonic(), math.inf
        with self._mutex:
            if self._leader is not me:
                return
            self._started = now
            if self._alarm.at < now + _PATIENCE:
                self._alarm.set(min(due, now + HORIZON))

    def _resign(self, me: Consume) -> None:
        """Leave the lead to the heir, unless another one has it already."""
        with self._mutex:
            if self._leader is not me:
                return
            self._leader = None
            self._started = 0.0
            self._alarm.set(time.monotonic())
