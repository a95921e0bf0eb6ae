"""Owed: the record that a thread is at, of which its peer's host waits to hear."""

from __future__ import annotations

from fairway.core.bus.operations import Busy

__all__ = ["BUSY_EVERY", "Owed"]

BUSY_EVERY = 10.0
"""Seconds between two signs of life; hosts wait three times as long."""


class Owed:
    """The events of one record while they are consumed.

    Args:
        order: of the last of them.
        now: when their consumption began, in seconds of a steady clock.
        deadline: until when the host waits without a sign of life.
    """

    __slots__ = ("_due", "order", "reply_channel")

    def __init__(
        self, reply_channel: str, order: int, *, now: float, deadline: float
    ) -> None:
        self.reply_channel = reply_channel
        self.order = order
        # A record that waited long is short of time from its start.
        latest = deadline - 2 * BUSY_EVERY
        self._due = (now if now < latest else latest) + BUSY_EVERY

    def busy(self, now: float) -> Busy | None:
        """Return the sign of life that is due, if one is."""
        if now < self._due:
            return None
        self._due = now + BUSY_EVERY
        return Busy(self.reply_channel, self.order)
