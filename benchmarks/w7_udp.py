"""W7: UDP echo of 64 bytes through a consumer; 4 sockets with 16 datagrams each."""

from __future__ import annotations

from functools import partial

from benchmarks.load_udp import echo_load
from benchmarks.measure import Meter, Plan, Results, Sample, window
from benchmarks.rounds import able, interleave, running
from benchmarks.server import Server
from benchmarks.targets import BARE_UDP, FAIRWAY_ONE, FAIRWAY_REDIS

__all__ = ["CASE", "NAME", "measure", "run"]

NAME = "W7"
_SOCKETS, _IN_FLIGHT = 4, 16
CASE = f"{_SOCKETS} sockets, {_IN_FLIGHT} in flight each"
_TARGETS = (FAIRWAY_REDIS, FAIRWAY_ONE, BARE_UDP)


async def run(plan: Plan, results: Results) -> None:
    """Measure all targets."""
    with running(able(_TARGETS, plan, results), results) as servers:
        await interleave(
            servers,
            partial(measure, plan=plan),
            range(plan.rounds),
            place=(NAME, CASE),
            results=results,
        )


async def measure(server: Server, *, plan: Plan) -> Sample:
    """Measure one server once."""
    meter = Meter()
    load = echo_load(server.port, sockets=_SOCKETS, in_flight=_IN_FLIGHT, meter=meter)
    async with load:
        return await window(server, meter, plan)
