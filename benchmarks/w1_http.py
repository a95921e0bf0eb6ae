"""W1: HTTP hello through a Django view, 64 keep-alive connections."""

from __future__ import annotations

from functools import partial

from benchmarks.load_http import http_load
from benchmarks.measure import Meter, Plan, Results, Sample, window
from benchmarks.rounds import able, interleave, running
from benchmarks.server import Server
from benchmarks.targets import DAPHNE, FAIRWAY_ONE, FAIRWAY_REDIS, GUNICORN, UVICORN

__all__ = ["CASES", "CONNECTIONS", "NAME", "measure", "run"]

NAME = "W1"
CASES = {"no middleware": "none", "Django's default middleware": "default"}
CONNECTIONS = 64
_TARGETS = (FAIRWAY_REDIS, FAIRWAY_ONE, GUNICORN, UVICORN, DAPHNE)


async def run(plan: Plan, results: Results) -> None:
    """Measure all targets, first without middleware, then with it."""
    targets = able(_TARGETS, plan, results)
    for case, middleware in CASES.items():
        with running(targets, results, {"BENCH_MIDDLEWARE": middleware}) as servers:
            await interleave(
                servers,
                partial(measure, plan=plan),
                range(plan.rounds),
                place=(NAME, case),
                results=results,
            )


async def measure(server: Server, *, plan: Plan) -> Sample:
    """Measure one server once."""
    meter = Meter()
    async with http_load(server.port, "/hello/", connections=CONNECTIONS, meter=meter):
        return await window(server, meter, plan)
