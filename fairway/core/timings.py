"""How long things took, in buckets by label: plain numbers that metrics are made of."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping
from typing import TypeAlias

__all__ = ["BOUNDS", "Labels", "Timings"]

Labels: TypeAlias = tuple[str, ...]
"""The values of the labels that a histogram is told apart by."""

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Upper bounds of the histogram's buckets, in seconds; one more has no bound."""


class Timings:
    """A histogram for each tuple of labels; any thread may use it.

    The first label is a channel; channels of a single reader count as one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def add(self, labels: Labels, seconds: float) -> None:
        """Count one duration; what clocks make negative counts as none."""
        if "?" in labels[0]:
            labels = (labels[0].partition("?")[0], *labels[1:])
        seconds = max(seconds, 0.0)
        with self._lock:
            counts = self._counts.get(labels)
            if counts is None:
                counts = self._counts[labels] = [0] * (len(BOUNDS) + 1)
                self._sums[labels] = 0.0
            counts[bisect_left(BOUNDS, seconds)] += 1
            self._sums[labels] += seconds

    def read(self) -> Mapping[Labels, tuple[tuple[int, ...], float]]:
        """Return the count of each bucket and the sum of seconds, by labels."""
        with self._lock:
            return {
                labels: (tuple(counts), self._sums[labels])
                for labels, counts in self._counts.items()
            }
