"""Two moments become the lines of a screen. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from fairway.management.top.samples import Moment, Process

__all__ = ["lines", "quantile"]

_SILENT = 10.0
"""Seconds after which a reader counts as silent."""

Row: TypeAlias = Sequence[str]
Pair: TypeAlias = tuple[Process, Process]
"""What a process told before, and now."""


def lines(before: Moment, now: Moment) -> list[str]:
    """Return what the screen shows; rates are those between the moments."""
    pairs = [
        (old, new)
        for old, new in zip(before.processes, now.processes, strict=True)
        if not new.error
    ]
    shown = [*_head(now), ""]
    for title, rows in (
        (("interface", "peers", "events/s", "replies/s", "held"), _protocols(pairs)),
        (("queue", "waiting", "oldest s", "readers"), _queues(now)),
        (("consumers of", "runs/s", "busy", "p50 ms", "p99 ms"), _consumers(pairs)),
        (("on the bus", "msgs/s", "p50 ms", "p99 ms"), _bus(pairs)),
        (("to itself", "ms"), _round_trips(pairs)),
        (("drops", "reason", "drops/s", "in all"), _drops(pairs)),
    ):
        if table := list(rows):
            shown += [*_aligned([title, *table]), ""]
    return ["".join(c if c.isprintable() else "?" for c in line) for line in shown[:-1]]


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """Return a quantile of a histogram, None when it is empty.

    Args:
        buckets: upper bound to how many are not above it.
    """
    whole = max(buckets.values(), default=0.0)
    if whole <= 0:
        return None
    wanted, below, lower = share * whole, 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= wanted and count > below:
            if math.isinf(bound):
                return lower
            return lower + (bound - lower) * (wanted - below) / (count - below)
        below, lower = count, bound
    return lower


def _head(now: Moment) -> Iterator[str]:
    yield f"layer {now.layer}  {now.trouble or 'up'}"
    if now.readers is not None:
        mailboxes = sum(
            all(queue.endswith("!") for queue in reader.queues)
            for reader in now.readers
        )
        silent = sum(reader.silent > _SILENT for reader in now.readers)
        yield (
            f"workers {len(now.readers) - mailboxes}  mailboxes {mailboxes}  "
            f"silent {silent}"
        )
    for process in now.processes:
        if process.error:
            yield f"{process.name}  {process.error}"


def _protocols(pairs: Iterable[Pair]) -> Iterator[Row]:
    for old, new in pairs:
        events = _rates(old, new, "fairway_events_total", "protocol")
        replies = _rates(old, new, "fairway_replies_total", "protocol")
        peers = new.by("fairway_peers", "protocol")
        held = new.by("fairway_held_events", "protocol")
        for key in sorted(peers):
            yield (
                f"{new.name} {key[0]}",
                f"{peers[key]:,.0f}",
                f"{events.get(key, 0):,.1f}",
                f"{replies.get(key, 0):,.1f}",
                f"{held.get(key, 0):,.0f}",
            )


def _queues(now: Moment) -> Iterator[Row]:
    readers = Counter(queue for reader in now.readers or () for queue in reader.queues)
    for channel, one in now.queues.items():
        age = "" if one.oldest_age is None else f"{one.oldest_age:.2f}"
        known = "?" if now.readers is None else str(readers[channel])
        yield channel, f"{one.waiting:,}", age, known


def _consumers(pairs: Iterable[Pair]) -> Iterator[Row]:
    for old, new in pairs:
        name = "fairway_consumer_seconds"
        seconds = _rates(old, new, f"{name}_sum", "channel")
        for channel, rate, buckets in _histograms(old, new, name):
            # Seconds of consumers in a second are threads that were busy.
            busy = f"{seconds.get((channel,), 0):.2f}"
            place = f"{new.name} {channel}"
            yield place, f"{rate:,.1f}", busy, _ms(buckets, 0.5), _ms(buckets, 0.99)


def _bus(pairs: Iterable[Pair]) -> Iterator[Row]:
    for old, new in pairs:
        for channel, rate, buckets in _histograms(old, new, "fairway_bus_seconds"):
            place = f"{new.name} {channel}"
            yield place, f"{rate:,.1f}", _ms(buckets, 0.5), _ms(buckets, 0.99)


def _round_trips(pairs: Iterable[Pair]) -> Iterator[Row]:
    for _, new in pairs:
        for seconds in new.by("fairway_bus_round_trip_seconds").values():
            yield new.name, f"{seconds * 1000:.2f}"


def _drops(pairs: Iterable[Pair]) -> Iterator[Row]:
    for old, new in pairs:
        totals = new.by("fairway_drops_total", "channel", "reason")
        rates = _rates(old, new, "fairway_drops_total", "channel", "reason")
        for (channel, reason), total in sorted(totals.items()):
            rate = rates.get((channel, reason), 0)
            yield f"{new.name} {channel}", reason, f"{rate:,.1f}", f"{total:,.0f}"


def _histograms(
    old: Process, new: Process, name: str
) -> Iterator[tuple[str, float, dict[float, float]]]:
    """Yield channel, rate, and the buckets of what came between two moments."""
    rates = _rates(old, new, f"{name}_bucket", "channel", "le")
    buckets: defaultdict[str, dict[float, float]] = defaultdict(dict)
    for (channel, bound), rate in rates.items():
        buckets[channel][float(bound)] = rate
    for channel in sorted(buckets):
        yield channel, max(buckets[channel].values()), buckets[channel]


def _rates(
    old: Process, new: Process, name: str, *labels: str
) -> dict[tuple[str, ...], float]:
    """Return how much counters grew in a second; one that fell began again at 0."""
    seconds = new.at - old.at
    if old.error or seconds <= 0:
        return {}
    before = old.by(name, *labels)
    return {
        key: (value - start if (start := before.get(key, 0.0)) <= value else value)
        / seconds
        for key, value in new.by(name, *labels).items()
    }


def _ms(buckets: Mapping[float, float], share: float) -> str:
    seconds = quantile(buckets, share)
    return "" if seconds is None else f"{seconds * 1000:.2f}"


def _aligned(rows: Sequence[Row]) -> list[str]:
    """Return lines whose first column is aligned left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if not index else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
