"""W8: slow neighbours: WebSocket echoes while k consumers of the same worker sleep.

One worker process of `THREADS` = 8, the default. Slow and fast messages go to one
consumer on one path, so nothing tells them apart before they run. The slow ones begin
one after another, spread over the time that one sleeps.
"""

from __future__ import annotations

import asyncio
from functools import partial

from benchmarks.load_websocket import echo_load
from benchmarks.measure import Meter, Plan, Results, Sample, percentile, window
from benchmarks.rounds import able, interleave, running
from benchmarks.server import Server
from benchmarks.targets import FAIRWAY_ONE, FAIRWAY_REDIS

__all__ = ["NAME", "SLOW", "case", "compare", "measure", "run"]

NAME = "W8"
SLOW = (1, 4, 7)
"""How many consumers sleep; beside none, which is what the others are compared with."""
_CASES = (0, *SLOW)
_SOCKETS = 32
_SLEEP = 0.5
"""Seconds of one slow consumer."""
_PATH = "/echo/"
_TARGETS = (FAIRWAY_REDIS, FAIRWAY_ONE)


def case(slow: int) -> str:
    """Return the name of the case with so many slow consumers."""
    return f"{slow} slow consumer{'' if slow == 1 else 's'}"


async def run(plan: Plan, results: Results) -> None:
    """Measure all targets, in each round with each number of slow consumers."""
    with running(able(_TARGETS, plan, results), results) as servers:
        for number in range(plan.rounds):
            first = number % len(_CASES)
            for slow in (*_CASES[first:], *_CASES[:first]):
                await interleave(
                    servers,
                    partial(measure, plan=plan, slow=slow),
                    [number],
                    place=(NAME, case(slow)),
                    results=results,
                )
    compare(results)


async def measure(server: Server, *, plan: Plan, slow: int) -> Sample:
    """Measure one server once: the echoes of those that are not slow."""
    fast_meter, slow_meter = Meter(), Meter()
    slow_load = echo_load(
        server.port,
        _PATH,
        connections=slow,
        meter=slow_meter,
        text=f"slow {_SLEEP}".encode(),
        apart=_SLEEP / max(1, slow),
    )
    fast_load = echo_load(server.port, _PATH, connections=_SOCKETS, meter=fast_meter)
    async with slow_load, fast_load:
        slow_meter.open = True
        sample = await window(server, fast_meter, plan)
        slow_meter.open = False
    sample["worst"] = max(fast_meter.latencies) * 1e3
    if slow_meter.latencies:
        sample["slow"] = percentile(sorted(slow_meter.latencies), 0.5) * 1e3
    if slow:
        # What still sleeps would be a neighbour of the next measurement.
        await asyncio.sleep(_SLEEP)
    return sample


def compare(results: Results) -> None:
    """Add `rise`: p99 over that without slow consumers, of rounds that have both."""
    for slow in _CASES:
        for target in list(results.targets(NAME, case(slow))):
            alone = results.samples.get((NAME, case(0), target), {})
            for number, sample in results.samples[NAME, case(slow), target].items():
                if number in alone:
                    sample["rise"] = sample["p99"] - alone[number]["p99"]
