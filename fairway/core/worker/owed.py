"""Owed: the record that a thread is at, of which its peer's host waits to hear."""

from __future__ import annotations

from msgspec import Struct

from fairway.core.bus.operations import Busy

__all__ = ["BUSY_EVERY", "Owed"]

BUSY_EVERY = 10.0
"""Seconds between two signs of life; hosts wait three times as long."""


class Owed(Struct, eq=False):
    """The events of one record while they are consumed."""

    reply_channel: str
    order: int
    """Of the last of them."""
    since: float
    """When the host was told last, in seconds of a steady clock; at first, when their
    consumption began."""
    deadline: float
    """Until when the host waits without a sign of life."""

    def busy(self, now: float) -> Busy | None:
        """Return the sign of life that is due, if one is."""
        # A record that waited long is short of time from its start.
        if now < self.since + BUSY_EVERY and now < self.deadline - BUSY_EVERY:
            return None
        self.since, self.deadline = now, now + 3 * BUSY_EVERY
        return Busy(self.reply_channel, self.order)
