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

from msgspec import Struct

from fairway.core.bus.layer import Delivery
from fairway.core.worker.alarm import Alarm, PollingAlarm, TimerAlarm
from fairway.core.worker.loop import Consume, Loop, LoopParts
from fairway.core.worker.pace import HORIZON, SHORT

__all__ = ["CrewLoop"]

_PATIENCE = HORIZON / 2
"""Seconds after which the heir takes over from a leader that consumes."""


class _Term(Struct, eq=False):
    """The time for which a thread leads, until it resigns or is deposed."""

    leader: Consume
    started: float = 0.0
    """When the consumer began that it runs; 0 for none. Nobody but its leader sets it,
    so that needs no lock: who was deposed has a term of its own."""


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
        # Guards the three below. Who was deposed may consume once more before it looks;
        # before it takes, it looks under the mutex: otherwise two might take.
        self._mutex = threading.Lock()
        self._term: _Term | None = None
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
        while self._lead(self._follow(me)):
            pass

    def _retire(self, me: Consume) -> None:
        if (term := self._term) is not None and term.leader is me:
            self._resign(term)
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

    def _follow(self, me: Consume) -> _Term:
        """Wait until this thread leads."""
        with self._mutex:
            self._followers += 1
        self._tell_room()
        with self._heirship:
            while (mine := self._succeed(me)) is None:
                self._alarm.wait()
                if (term := self._term) is None or not (started := term.started):
                    continue
                self._out.flush()
                if self._is_late(term, started) and (
                    mine := self._succeed(me, term, started)
                ):
                    break
        return mine

    def _is_late(self, term: _Term, started: float) -> bool:
        """Return whether to take over; if it is too early, have the alarm say when."""
        if not self._takes_over:
            return False
        with self._mutex:
            end = started + _PATIENCE
            late = time.monotonic() >= end
            if not late and self._term is term and term.started == started:
                self._alarm.set(end)
        return late

    def _succeed(
        self, me: Consume, late: _Term | None = None, started: float = 0.0
    ) -> _Term | None:
        """Lead if nobody does, or if who is late has consumed since `started`."""
        with self._mutex:
            if (term := self._term) is not None and (
                term is not late or term.started != started
            ):
                return None
            self._followers -= 1
            self._term = mine = _Term(me)
            return mine

    # Leading.

    def _lead(self, term: _Term) -> bool:
        """Take and consume; returns whether to follow another, False at the end."""
        me = term.leader

        def begins(usual: float) -> None:
            self._begins(term, usual)

        while self._term is term:
            try:
                delivery = self._batch.popleft()
            except IndexError:
                if self._still_leads(term) and not self._take():
                    return False
                continue
            me.consume(delivery, begins)
            term.started = 0.0
            if time.monotonic() > self._out.since + HORIZON:
                self._out.flush()
        self._out.flush()
        return True

    def _still_leads(self, term: _Term) -> bool:
        with self._mutex:
            return self._term is term

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

    def _begins(self, term: _Term, usual: float) -> None:
        """A consumer is about to run; called by the thread that will run it."""
        if usual > SHORT and self._takes_over and self._followers > 1:
            self._resign(term)
        now, due = time.monotonic(), self._out.since + HORIZON
        if usual > SHORT or self._term is not term or now + 2 * usual > due:
            # A ready reply does not wait for this one. A flush is no running time.
            self._out.flush()
            now, due = time.monotonic(), math.inf
        term.started = now
        # Who heard the alarm before that has made it 0 before it looked, and waits on.
        if self._alarm.at < now + _PATIENCE:
            with self._mutex:
                if self._term is term:
                    self._alarm.set(min(due, now + HORIZON))

    def _resign(self, term: _Term) -> None:
        """Leave the lead to the heir, unless another one has it already."""
        with self._mutex:
            if self._term is term:
                self._term = None
                self._alarm.set(time.monotonic())
