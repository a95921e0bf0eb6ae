"""W5: 2,000 polls that wait are released at once, from the request to the last answer.

CPU is of the release. Each round has new connections, whose first release is not
counted; the conversations of fairway, which stay, are begun before.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial

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
_TARGETS = (FAIRWAY_REDIS, FAIRWAY_ONE, UVICORN_LAYER)
_TEXT = b"x" * 64
_QUIET = 0.02
_CALM_WITHIN = 10.0


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
        return await _release(server, polls)


async def _release(server: Server, polls: Polls) -> Sample:
    """Let all wait, then answer them.

    Raises:
        RuntimeError: one was refused, or not answered.
    """
    polls.ask()
    await _calm(server)
    watch = Stopwatch(server)
    began = time.perf_counter()
    sending = asyncio.ensure_future(post(server.port, "/group/", _TEXT))
    try:
        await polls.wait()
        await sending
    finally:
        sending.cancel()
    sample = watch.read(len(polls.all))
    sample["last"] = (polls.last - began) * 1e3
    sample["answered"] = polls.answered
    return sample


async def _calm(server: Server) -> None:
    """Wait until all polls have been taken.

    A peer whose polls wait is never quite at rest, so that a time is enough for it.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_CALM_WITHIN):
            while True:
                before = sum(server.cpu().values())
                await asyncio.sleep(0.3)
                if sum(server.cpu().values()) - before < _QUIET:
                    return
