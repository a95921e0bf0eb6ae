"""How long things took, in buckets by label: plain numbers that metrics are made of."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from operator import add
from typing import TypeAlias

__all__ = ["BOUNDS", "Labels", "Timings", "sum_up"]

Labels: TypeAlias = tuple[str, ...]
"""The values of the labels that a histogram is told apart by."""

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Upper bounds of the histogram's buckets, in seconds; one more has no bound."""


_NONE = [0.0] * (len(BOUNDS) + 2)
# The count of each bucket, and behind them the sum: one look for each message.


class Timings:
    """A histogram for each tuple of labels, of one thread: so it needs no lock.

    The first label is a channel; channels of a single reader count as one.
    """

    def __init__(self) -> None:
        self._rows: dict[Labels, list[float]] = {}

    def add(self, labels: Labels, seconds: float) -> None:
        """Count one duration; what clocks make negative counts as none."""
        if seconds < 0.0:
            seconds = 0.0
        row = self._rows.get(labels) or self._row(labels)
        row[bisect_left(BOUNDS, seconds)] += 1
        row[-1] += seconds

    def rows(self) -> list[tuple[Labels, list[float]]]:
        """Return labels with the count of each bucket and the sum; any thread."""
        return [(labels, list(row)) for labels, row in list(self._rows.items())]

    def _row(self, labels: Labels) -> list[float]:
        labels = (labels[0].partition("?")[0], *labels[1:])
        return self._rows.setdefault(labels, list(_NONE))


def sum_up(
    timings: Iterable[Timings],
) -> Mapping[Labels, tuple[tuple[int, ...], float]]:
    """Return the count of each bucket and the sum of seconds, by labels; any thread.

    A duration that is being added may be in its bucket and not yet in the sum.
    """
    sums: dict[Labels, list[float]] = defaultdict(lambda: _NONE)
    for one in timings:
        for labels, row in one.rows():
            sums[labels] = list(map(add, sums[labels], row))
    return {
        labels: (tuple(map(int, row[:-1])), row[-1]) for labels, row in sums.items()
    }
