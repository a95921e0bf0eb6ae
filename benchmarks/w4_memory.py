"""W4: resident memory per idle WebSocket and per waiting poll, of all processes.

It is the slope between two counts in a fresh process: the first peers are taken before
the first reading, so that lazy imports and pools are not counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from benchmarks.load_polls import open_polls
from benchmarks.load_websocket import Socket, open_sockets
from benchmarks.measure import Plan, Results, Sample
from benchmarks.rounds import able, interleave, running
from benchmarks.server import Server
from benchmarks.targets import FAIRWAY_ONE, FAIRWAY_REDIS, UVICORN_ALONE, UVICORN_LAYER

__all__ = ["NAME", "POLLS", "SOCKETS", "run"]

NAME = "W4"
SOCKETS = "idle WebSocket"
POLLS = "waiting poll"
_FIRST, _LAST = 200, 5_200
_QUICK_FIRST, _QUICK_LAST = 20, 120
_ROUNDS = 3
_QUIET = 0.02
"""CPU seconds per half second of servers that have nothing to do."""
_CALM_TIMEOUT = 20.0


async def run(plan: Plan, results: Results) -> None:
    """Measure each target in processes of its own, round after round."""
    counts = (_QUICK_FIRST, _QUICK_LAST) if plan.quick else (_FIRST, _LAST)
    cases = {
        SOCKETS: (_sockets, (FAIRWAY_REDIS, FAIRWAY_ONE, UVICORN_LAYER, UVICORN_ALONE)),
        POLLS: (_polls, (FAIRWAY_REDIS, FAIRWAY_ONE, UVICORN_LAYER)),
    }
    for number in range(min(plan.rounds, _ROUNDS)):
        for case, (measure, targets) in cases.items():
            for target in able(targets, plan, results):
                with running([target], results) as servers:
                    await interleave(
                        servers,
                        partial(measure, counts=counts),
                        [number],
                        place=(NAME, case),
                        results=results,
                    )


async def _sockets(server: Server, *, counts: tuple[int, int]) -> Sample:
    async with open_sockets(server.port, "/echo/", _ignore) as opener:
        return await _slope(server, counts, opener.grow)


async def _polls(server: Server, *, counts: tuple[int, int]) -> Sample:
    async with open_polls(server) as polls:

        async def grow(count: int) -> None:
            asking = len(polls.all)
            await polls.grow(count)
            for poll in polls.all[asking:]:
                poll.ask()

        return await _slope(server, counts, grow)


async def _slope(
    server: Server,
    counts: tuple[int, int],
    grow: Callable[[int], Awaitable[None]],
) -> Sample:
    first, last = counts
    await grow(first)
    before = await _resident_when_calm(server)
    await grow(last)
    after = await _resident_when_calm(server)
    return {
        "kib": (after - before) / 1024 / (last - first),
        "before": before / 1024**2,
    }


async def _resident_when_calm(server: Server) -> int:
    """Wait until the servers have done their work, then read.

    Raises:
        TimeoutError: they never rest.
    """
    async with asyncio.timeout(_CALM_TIMEOUT):
        while True:
            before = sum(server.cpu().values())
            await asyncio.sleep(0.5)
            if sum(server.cpu().values()) - before < _QUIET:
                return server.resident()


def _ignore(socket: Socket, payload: bytes) -> None:
    """Idle sockets hear nothing."""
