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
        # The count of each bucket, and behind them the sum: one look for each message.
        self._rows: dict[Labels, list[float]] = {}

    def add(self, labels: Labels, seconds: float) -> None:
        """Count one duration; what clocks make negative counts as none."""
        if seconds < 0.0:
            seconds = 0.0
        row = self._rows.get(labels) or self._row(labels)
        bucket = bisect_left(BOUNDS, seconds)
        with self._lock:
            row[bucket] += 1
            row[-1] += seconds

    def read(self) -> Mapping[Labels, tuple[tuple[int, ...], float]]:
        """Return the count of each bucket and the sum of seconds, by labels."""
        with self._lock:
            rows = {labels: list(row) for labels, row in self._rows.items()}
        return {
            labels: (tuple(map(int, row[:-1])), row[-1]) for labels, row in rows.items()
        }

    def _row(self, labels: Labels) -> list[float]:
        labels = (labels[0].partition("?")[0], *labels[1:])
        with self._lock:
            return self._rows.setdefault(labels, [0] * (len(BOUNDS) + 1) + [0.0])
