"""Pace: how many messages a worker takes at once, by how long consumers usually run."""

from __future__ import annotations

__all__ = ["Pace"]

MOST = 64
"""Messages in one take."""
HORIZON = 0.002
"""Seconds of work that may be taken on top of what idle threads start at once."""
_WEIGHT = 1 / 16
"""Of one consumer's time in the mean."""


class Pace:
    """The mean duration of consumers.

    Threads write it without a lock: a lost update changes a guess by a sixteenth.
    """

    __slots__ = ("mean",)

    def __init__(self) -> None:
        self.mean = HORIZON
        """Seconds."""

    def add(self, seconds: float) -> None:
        """Tell how long a consumer ran."""
        self.mean += (seconds - self.mean) * _WEIGHT

    def limit(self, idle: int) -> int:
        """Return how many messages to take while `idle` threads wait for one.

        What is taken beyond them stands in this process while others may be free.
        """
        return min(MOST, max(1, idle, int(HORIZON / self.mean) if self.mean else MOST))
