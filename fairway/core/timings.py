"""How long consumers ran, by channel: plain numbers that metrics are made of."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping

__all__ = ["BOUNDS", "Timings"]

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Upper bounds of the histogram's buckets, in seconds; one more has no bound."""


class Timings:
    """A histogram for each channel; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def add(self, channel: str, seconds: float) -> None:
        """Count one consumer; channels of a single reader count as one."""
        channel = channel.partition("?")[0]
        with self._lock:
            counts = self._counts.get(channel)
            if counts is None:
                counts = self._counts[channel] = [0] * (len(BOUNDS) + 1)
                self._sums[channel] = 0.0
            counts[bisect_left(BOUNDS, seconds)] += 1
            self._sums[channel] += seconds

    def read(self) -> Mapping[str, tuple[tuple[int, ...], float]]:
        """Return the count of each bucket and the sum of seconds, by channel."""
        with self._lock:
            return {
                channel: (tuple(counts), self._sums[channel])
                for channel, counts in self._counts.items()
            }
