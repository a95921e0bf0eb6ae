"""W5: 2,000 polls that wait are released at once, from the request to the last answer.

They ask all at once, and then CPU is of the release, or at a pace, which Pushpin needs,
and then CPU is of a poll's whole way: asking, waiting, being answered. Each round has
new connections, whose first release is not counted; the conversations of fairway, which
stay, are begun before.
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
from benchmarks.targets import FAIRWAY_ONE, FAIRWAY_REDIS, PUSHPIN, UVICORN_LAYER

__all__ = ["NAME", "POLLS", "case", "paced_case", "run"]

NAME = "W5"
POLLS = 2_000
_QUICK_POLLS = 50
_AT_ONCE = (FAIRWAY_REDIS, FAIRWAY_ONE, UVICORN_LAYER)
_PACED = (FAIRWAY_REDIS, UVICORN_LAYER, PUSHPIN)
_PACE = 400.0
"""Polls that ask in a second; Pushpin answers 502 to many when it is twice that."""
_WARM = 100
_TEXT = b"x" * 64
_QUIET = 0.02
_CALM_WITHIN = 10.0


def case(polls: int) -> str:
    """Return the name of the case with so many polls that ask at once."""
    return f"{polls:,} waiting polls"


def paced_case(polls: int) -> str:
    """Return the name of the case with so many polls that ask one after another."""
    return f"{polls:,} waiting polls, {_PACE:g} ask in a second, CPU of the whole"


async def run(plan: Plan, results: Results) -> None:
    """Measure all targets."""
    polls = _QUICK_POLLS if plan.quick else POLLS
    for targets, measure, name in (
        (_AT_ONCE, _at_once, case(polls)),
        (_PACED, _paced, paced_case(polls)),
    ):
        with running(able(targets, plan, results), results) as servers:
            await interleave(
                servers,
                partial(measure, count=polls),
                range(plan.rounds),
                place=(NAME, name),
                results=results,
            )


async def _at_once(server: Server, *, count: int) -> Sample:
    async with open_polls(server) as polls:
        await polls.grow(count)
        await _release(server, polls)  # the first finds cold caches
        return await _release(server, polls)


async def _paced(server: Server, *, count: int) -> Sample:
    async with open_polls(server) as polls:
        await polls.grow(min(_WARM, count))
        await _release(server, polls, _PACE)
        await polls.grow(count)
        watch = Stopwatch(server)
        sample = await _release(server, polls, _PACE)
        return {**sample, **watch.read(polls.answered)}


async def _release(server: Server, polls: Polls, pace: float | None = None) -> Sample:
    """Let all wait, then answer them.

    Raises:
        RuntimeError: all were refused, or some never had an answer.
    """
    await polls.ask(pace)
    await _calm(server)
    watch = Stopwatch(server)
    began = time.perf_counter()
    sending = asyncio.ensure_future(post(server.port, "/group/", _TEXT))
    try:
        await polls.wait()
        await sending
    finally:
        sending.cancel()
    sample = watch.read(polls.answered)
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
