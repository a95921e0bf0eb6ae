"""What one measurement gives, and how many of them become a figure."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeAlias

from benchmarks.server import Server

__all__ = [
    "Figure",
    "Meter",
    "Plan",
    "Results",
    "Sample",
    "Stopwatch",
    "percentile",
    "spread",
    "window",
]

Sample: TypeAlias = dict[str, float]
"""Values by metric: `cpu` and `cpu.ROLE` in us a message, of which `system.ROLE` in the
kernel, `waits.ROLE` of threads a message, `rate` in messages a second,
`p50`, `p99`, `worst`, `last`, `slow` and `rise` in ms, `kib` a peer, `client` and
`others` as a share: of one core that the load generator used, of the machine that
strangers used."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: float
    """Of each measurement, after a warm-up of a quarter of it."""
    peers: bool = True
    """Whether others are measured too."""
    quick: bool = False
    """Whether it is only to show that it works."""


class Figure(NamedTuple):
    """The place of one number."""

    workload: str
    case: str
    target: str
    metric: str


class Results:
    """All samples of a run."""

    def __init__(self) -> None:
        self.samples: dict[tuple[str, str, str], dict[int, Sample]] = defaultdict(dict)
        self.notes: list[str] = []

    def add(self, place: tuple[str, str, str], number: int, sample: Sample) -> None:
        """Keep the sample of one round of a workload, case and target."""
        self.samples[place][number] = sample

    def note(self, text: str) -> None:
        """Keep what a reader must know, once."""
        if text not in self.notes:
            self.notes.append(text)

    def series(self, figure: Figure) -> list[float]:
        """Return the figure's value of each round that has one."""
        return list(self._rounds(figure).values())

    def median(self, figure: Figure) -> float | None:
        """Return the median over the rounds, None when nothing was measured."""
        values = self.series(figure)
        return median(values) if values else None

    def ratio(self, figure: Figure, other: Figure) -> float | None:
        """Return the median of the ratios of the rounds that have both figures."""
        ours, theirs = self._rounds(figure), self._rounds(other)
        ratios = [ours[n] / theirs[n] for n in ours if theirs.get(n)]
        return median(ratios) if ratios else None

    def cases(self, workload: str) -> list[str]:
        """Return a workload's cases in the order they were measured."""
        return list(dict.fromkeys(c for w, c, _ in self.samples if w == workload))

    def targets(self, workload: str, case: str) -> Iterator[str]:
        """Yield who was measured."""
        for found, part, target in self.samples:
            if (found, part) == (workload, case):
                yield target

    def _rounds(self, figure: Figure) -> dict[int, float]:
        place = (figure.workload, figure.case, figure.target)
        return {
            number: sample[figure.metric]
            for number, sample in self.samples.get(place, {}).items()
            if figure.metric in sample
        }


class Meter:
    """Counts latencies, but only while it is open."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.open = False

    def add(self, seconds: float) -> None:
        """Count one message."""
        if self.open:
            self.latencies.append(seconds)


class Stopwatch:
    """CPU time of the servers, the load generator and everybody else since a moment."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._began = time.perf_counter()
        self._own = time.process_time()
        self._machine = _machine_seconds()
        self._activity = server.activity()
        self._cpu = server.cpu()

    def read(self, messages: int) -> Sample:
        """Return the sample of so many messages; must be at least one."""
        after = self._server.cpu()
        activity = self._server.activity()
        elapsed = time.perf_counter() - self._began
        own = time.process_time() - self._own
        used = {role: after[role] - before for role, before in self._cpu.items()}
        busy, everything = (
            now - then
            for now, then in zip(_machine_seconds(), self._machine, strict=True)
        )
        total = sum(used.values())
        sample = {
            "rate": messages / elapsed,
            "cpu": total / messages * 1e6,
            "client": own / elapsed,
            "others": max(0.0, busy - own - total) / everything if everything else 0.0,
        }
        for role, seconds in used.items():
            then, now = self._activity[role], activity[role]
            sample[f"cpu.{role}"] = seconds / messages * 1e6
            sample[f"system.{role}"] = (now.system - then.system) / messages * 1e6
            sample[f"waits.{role}"] = (now.waits - then.waits) / messages
        return sample


async def window(server: Server, meter: Meter, plan: Plan) -> Sample:
    """Measure what a load that already runs does to a server.

    Raises:
        RuntimeError: nothing was answered.
    """
    await asyncio.sleep(plan.seconds / 4)
    meter.latencies.clear()
    watch = Stopwatch(server)
    meter.open = True
    await asyncio.sleep(plan.seconds)
    meter.open = False
    latencies = sorted(meter.latencies)
    if not latencies:
        raise RuntimeError(f"{server.target.name} answered nothing")
    sample = watch.read(len(latencies))
    sample["p50"] = percentile(latencies, 0.5) * 1e3
    sample["p99"] = percentile(latencies, 0.99) * 1e3
    return sample


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that a share of sorted values does not pass."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(values: Sequence[float]) -> float:
    """Return (max - min) / median."""
    middle = median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def _machine_seconds() -> tuple[float, float]:
    """Return the CPU seconds of all cores since the start, used and all."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    ticks = [int(each) for each in fields[:8]]  # guests are in `user` already
    idle = ticks[3] + ticks[4]
    everything = sum(ticks)
    return (everything - idle) / 100, everything / 100
