"""Deadlines of mappings: data there, a call here."""

from __future__ import annotations

from collections.abc import Callable

from fairway.core.plugin.wire import Clock, Timer

__all__ = ["Deadline"]

_NOT_ARMED = float("inf")


class Deadline:
    """Calls when a mapping's next deadline has passed, re-armed as seldom as possible.

    Args:
        next_deadline: the mapping's; when it wants the call, None for never.
        call: tells the mapping that it has passed.
    """

    __slots__ = ("_armed", "_call", "_clock", "_next", "_timer")

    def __init__(
        self,
        clock: Clock,
        next_deadline: Callable[[], float | None],
        call: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._next = next_deadline
        self._call = call
        self._armed = _NOT_ARMED
        self._timer: Timer | None = None

    def update(self) -> None:
        """Look at the mapping's deadline again, after anything was told to it."""
        when = self._next()
        # A later deadline needs nothing: the timer that is armed looks again.
        if when is not None and when < self._armed:
            if self._timer is not None:
                self._timer.cancel()
            self._armed = when
            self._timer = self._clock.call_at(when, self._passed)

    def cancel(self) -> None:
        """Never call again, whatever follows: the connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        # Both belong to who keeps this, which would be a circle for the collector.
        self._next = self._call = _nothing

    def _passed(self) -> None:
        self._timer = None
        self._armed = _NOT_ARMED
        when = self._next()
        if when is not None and when <= self._clock.now():
            self._call()
        self.update()


def _nothing() -> None:
    """Stand for a mapping that has gone."""
