"""W3: one text to all members of a group; the time until the last one has it."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from statistics import median

from benchmarks.load_http import post
from benchmarks.load_websocket import Opener, Socket, open_sockets
from benchmarks.measure import Plan, Results, Sample, Stopwatch
from benchmarks.rounds import able, interleave, running
from benchmarks.server import Server
from benchmarks.targets import BARE, FAIRWAY_ONE, FAIRWAY_REDIS, UVICORN_LAYER

__all__ = ["NAME", "case", "run"]

NAME = "W3"
_MEMBERS = (1_000, 5_000)
_QUICK_MEMBERS = (50, 100)
_BROADCASTS = 7
_TIMEOUT = 30.0
_TARGETS = (FAIRWAY_REDIS, FAIRWAY_ONE, UVICORN_LAYER, BARE)
_TEXT = b"x" * 64


def case(members: int) -> str:
    """Return the name of the case with so many members."""
    return f"{members:,} members"


async def run(plan: Plan, results: Results) -> None:
    """Measure all targets; members stay while more of them come."""
    with running(able(_TARGETS, plan, results), results) as servers:
        for members in _QUICK_MEMBERS if plan.quick else _MEMBERS:
            await interleave(
                servers,
                partial(_measure, members=members),
                range(plan.rounds),
                place=(NAME, case(members)),
                results=results,
            )


async def _measure(server: Server, *, members: int) -> Sample:
    crowd = _Crowd()
    async with open_sockets(server.port, "/group/", crowd.received) as opener:
        await opener.grow(members)
        await crowd.hear(server, opener)  # the first finds cold caches
        watch = Stopwatch(server)
        times = [await crowd.hear(server, opener) for _ in range(_BROADCASTS)]
        sample = watch.read(_BROADCASTS)
    sample["last"] = median(times) * 1e3
    sample["worst"] = max(times) * 1e3
    return sample


class _Crowd:
    """Counts who has heard the text."""

    def __init__(self) -> None:
        self._missing = 0
        self._heard = asyncio.Event()

    def received(self, socket: Socket, payload: bytes) -> None:
        self._missing -= 1
        if not self._missing:
            self._heard.set()

    async def hear(self, server: Server, opener: Opener) -> float:
        """Send to the group; return the seconds until the last member has it.

        Raises:
            RuntimeError: somebody never got it.
        """
        self._missing = len(opener.sockets)
        self._heard.clear()
        began = time.perf_counter()
        sending = asyncio.ensure_future(post(server.port, "/group/", _TEXT))
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._heard.wait()
                last = time.perf_counter()
                await sending
        except TimeoutError:
            raise RuntimeError(f"{self._missing} never got the text") from None
        finally:
            sending.cancel()
        return last - began
