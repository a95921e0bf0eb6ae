"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks import (
    w1_http,
    w2_echo,
    w3_broadcast,
    w4_memory,
    w5_polls,
    w6_bus,
    w7_udp,
    w8_slow,
)
from benchmarks.machine import conditions
from benchmarks.measure import Plan, Results
from benchmarks.report import markdown

_WORKLOADS = {
    module.NAME: module
    for module in (
        w1_http,
        w2_echo,
        w3_broadcast,
        w4_memory,
        w5_polls,
        w6_bus,
        w7_udp,
        w8_slow,
    )
}
_LATEST = Path(__file__).parent / "results" / "latest.md"


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/run.py",
        description="Measures fairway beside its peers; all on loopback.",
    )
    parser.add_argument(
        "--only", default=",".join(_WORKLOADS), help="workloads, such as W1,W2"
    )
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="of each measurement in a round"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round, to see that it works"
    )
    parser.add_argument("--no-peers", action="store_true", help="fairway alone")
    parser.add_argument(
        "--out",
        type=Path,
        help=f"where the report is written; a complete run also writes {_LATEST.name}",
    )
    arguments = parser.parse_args(given)
    arguments.only = arguments.only.upper().split(",")
    if unknown := set(arguments.only) - set(_WORKLOADS):
        parser.error(f"{', '.join(sorted(unknown))} is none of {', '.join(_WORKLOADS)}")
    return arguments


def _plan(arguments: argparse.Namespace) -> Plan:
    if arguments.quick:
        return Plan(1, 0.4, peers=not arguments.no_peers, quick=True)
    return Plan(arguments.rounds, arguments.seconds, peers=not arguments.no_peers)


async def _measure(names: Sequence[str], plan: Plan, results: Results) -> None:
    for name in names:
        began = time.monotonic()
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        await _WORKLOADS[name].run(plan, results)
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)


def _allow_many_sockets() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(given: Sequence[str] | None = None) -> None:
    """Measure, print the report and keep it."""
    arguments = _arguments(given)
    plan = _plan(arguments)
    found = conditions()
    found["measured"] = f"{plan.rounds} rounds of {plan.seconds:g} s, medians"
    results = Results()
    _allow_many_sockets()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_measure(arguments.only, plan, results))
    report = markdown(results, found)
    print(report)
    complete = len(arguments.only) == len(_WORKLOADS) and plan.peers and not plan.quick
    kept = [arguments.out] if arguments.out else []
    for path in [*kept, *([_LATEST] if complete else [])]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(report)


if __name__ == "__main__":
    main()
