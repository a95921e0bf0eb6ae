"""W2: WebSocket echo of 64 bytes; each socket has one message on its way."""

from __future__ import annotations

from functools import partial

from benchmarks.load_websocket import echo_load
from benchmarks.measure import Meter, Plan, Results, Sample, window
from benchmarks.rounds import able, interleave, running
from benchmarks.server import Server
from benchmarks.targets import (
    DAPHNE_LAYER,
    FAIRWAY_ONE,
    FAIRWAY_REDIS,
    FAIRWAY_REDIS_AUTOBAHN,
    UVICORN_ALONE,
    UVICORN_LAYER,
)

__all__ = ["NAME", "case", "measure", "run"]

NAME = "W2"
_COUNTS = (1, 32, 256)
_TARGETS = (
    FAIRWAY_REDIS,
    FAIRWAY_REDIS_AUTOBAHN,
    FAIRWAY_ONE,
    UVICORN_ALONE,
    UVICORN_LAYER,
    DAPHNE_LAYER,
)
_OVER_LAYER = {UVICORN_LAYER.name, DAPHNE_LAYER.name}


def case(connections: int) -> str:
    """Return the name of the case with so many sockets."""
    return f"{connections} connection{'s' if connections > 1 else ''}"


async def run(plan: Plan, results: Results) -> None:
    """Measure all targets with each number of sockets."""
    with running(able(_TARGETS, plan, results), results) as servers:
        for connections in _COUNTS[:2] if plan.quick else _COUNTS:
            await interleave(
                servers,
                partial(measure, plan=plan, connections=connections),
                range(plan.rounds),
                place=(NAME, case(connections)),
                results=results,
            )


async def measure(server: Server, *, plan: Plan, connections: int) -> Sample:
    """Measure one server once."""
    path = "/bus/" if server.target.name in _OVER_LAYER else "/echo/"
    meter = Meter()
    async with echo_load(server.port, path, connections=connections, meter=meter):
        return await window(server, meter, plan)
