"""W5: 2,000 polls that wait are released at once, from the request to the last answer.

CPU is of the whole way of a poll: it is asked, waits and is answered. The conversations
of fairway, which stay, are begun before.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from statistics import median

from benchmarks.load_http import post
from benchmarks.load_polls import Polls, open_polls
from benchmarks.measure import Plan, Results, Sample, Stopwatch
from benchmarks.rounds import able, interleave, running
from benchmarks.server import Server
from benchmarks.targets import FAIRWAY_ONE, FAIRWAY_REDIS, UVICORN_LAYER

__all__ = ["NAME", "POLLS", "case", "run"]

NAME = "W5"
POLLS = 2_000
_QUICK_POLLS = 50
_RELEASES = 3
_TARGETS = (FAIRWAY_REDIS, FAIRWAY_ONE, UVICORN_LAYER)
_TEXT = b"x" * 64
_QUIET = 0.02
_CALM_TIMEOUT = 60.0


def case(polls: int) -> str:
    """Return the name of the case with so many polls."""
    return f"{polls:,} waiting polls"


async def run(plan: Plan, results: Results) -> None:
    """Measure all targets."""
    results.note("W5: Pushpin is not installed here and left out")
    polls = _QUICK_POLLS if plan.quick else POLLS
    with running(able(_TARGETS, plan, results), results) as servers:
        await interleave(
            servers,
            partial(_measure, count=polls),
            range(plan.rounds),
            place=(NAME, case(polls)),
            results=results,
        )


async def _measure(server: Server, *, count: int) -> Sample:
    async with open_polls(server) as polls:
        await polls.grow(count)
        await _release(server, polls)  # the first finds cold caches
        watch = Stopwatch(server)
        times = [await _release(server, polls) for _ in range(_RELEASES)]
        sample = watch.read(_RELEASES * count)
        sample["answered"] = polls.answered
    sample["last"] = median(times) * 1e3
    return sample


async def _release(server: Server, polls: Polls) -> float:
    """Let all wait, then answer them; return the seconds until the last has it."""
    polls.ask()
    await _calm(server)
    began = time.perf_counter()
    sending = asyncio.ensure_future(post(server.port, "/group/", _TEXT))
    try:
        await polls.wait()
        await sending
    finally:
        sending.cancel()
    return polls.last - began


async def _calm(server: Server) -> None:
    """Wait until all polls have been taken."""
    async with asyncio.timeout(_CALM_TIMEOUT):
        while True:
            before = sum(server.cpu().values())
            await asyncio.sleep(0.3)
            if sum(server.cpu().values()) - before < _QUIET:
                return
