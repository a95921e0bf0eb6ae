"""The other end of W6 for channels_redis: a process that sends back whatever comes.

`python -m benchmarks.peers.bus_echo URL`
"""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop
from channels_redis.core import RedisChannelLayer

__all__ = ["CHANNEL", "make_layer"]

CHANNEL = "bench-echo"
_TASKS = 8
"""Receivers side by side; more of them were no faster."""


def make_layer(url: str) -> RedisChannelLayer:
    """Make a layer with room for all that is on its way, and time to wait for it."""
    host = {"address": url, "socket_timeout": None}
    return RedisChannelLayer(hosts=[host], capacity=10_000)


async def _echo(layer: RedisChannelLayer) -> None:
    while True:
        message = await layer.receive(CHANNEL)
        turned = {**message, "turned": time.perf_counter()}
        await layer.send(message["reply"], turned)


async def _main(url: str) -> None:
    layer = make_layer(url)
    await asyncio.gather(*(_echo(layer) for _ in range(_TASKS)))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(sys.argv[1]))
