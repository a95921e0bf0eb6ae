"""W6: the bus alone, 64 bytes there and back: an event loop, and who answers it.

A round trip is two messages. In batches 64 are always on their way; a lone one comes
back with the moment at which it was turned round, which gives each way its time.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial

from benchmarks.bus_echo import CHANNEL, EchoThread, make_layer
from benchmarks.measure import Meter, Plan, Results, Sample, percentile, window
from benchmarks.peers.bare_bus import BareSide
from benchmarks.rounds import able, interleave, running
from benchmarks.server import Server
from benchmarks.targets import BUS_BARE, BUS_CHANNELS, BUS_MEMORY, BUS_REDIS
from fairway.core.bus.layer import ChannelLayer, Delivery
from fairway.core.bus.operations import Send
from fairway.core.content import encode_content

__all__ = ["ALONE", "BATCHED", "NAME", "run"]

NAME = "W6"
BATCHED = "64 in flight"
ALONE = "one at a time"
_CASES = {BATCHED: 64, ALONE: 1}
_TARGETS = (BUS_MEMORY, BUS_REDIS, BUS_CHANNELS, BUS_BARE)
_TEXT = "x" * 64
_END_TIMEOUT = 2.0


async def run(plan: Plan, results: Results) -> None:
    """Measure all layers, under load and with one message."""
    with running(able(_TARGETS, plan, results), results) as servers:
        for case, in_flight in _CASES.items():
            await interleave(
                servers,
                partial(_measure, plan=plan, in_flight=in_flight),
                range(plan.rounds),
                place=(NAME, case),
                results=results,
            )


async def _measure(server: Server, *, plan: Plan, in_flight: int) -> Sample:
    ways = _Ways()
    meter = Meter()
    traffic = _traffic(server, in_flight, meter, ways)
    async with traffic:
        sample = await window(server, meter, plan)
    # The event loop's end of the bus is part of what is measured here.
    sample["cpu.loop"] = sample["client"] / sample["rate"] * 1e6
    sample["cpu"] += sample["cpu.loop"]
    for metric in [each for each in sample if each.startswith("cpu")]:
        sample[metric] /= 2
    sample["rate"] *= 2
    return sample | ways.sample()


def _traffic(
    server: Server, in_flight: int, meter: Meter, ways: _Ways
) -> AbstractAsyncContextManager[None]:
    redis = f"redis://127.0.0.1:{server.redis_port}/0"
    if server.target is BUS_CHANNELS:
        return _channels_traffic(redis, in_flight, meter, ways)
    if server.target is BUS_BARE:
        return _bare_traffic(server.redis_port, in_flight, meter, ways)
    url = redis if server.target is BUS_REDIS else "memory://"
    return _fairway_traffic(url, in_flight, meter, ways)


class _Ways:
    """How long lone messages took there and back, in seconds."""

    def __init__(self) -> None:
        self.there: list[float] = []
        self.back: list[float] = []

    def add(self, sent: float, turned: float, now: float) -> None:
        self.there.append(turned - sent)
        self.back.append(now - turned)

    def sample(self) -> Sample:
        """Return the slower way's median in us; it skips nothing, so warm-up counts."""
        if not self.there:
            return {}
        there, back = (percentile(sorted(w), 0.5) for w in (self.there, self.back))
        return {
            "there": there * 1e6,
            "back": back * 1e6,
            "oneway": max(there, back) * 1e6,
        }


class _LoopSide:
    """An event loop's end: keeps messages on their way through its mailbox."""

    def __init__(
        self, layer: ChannelLayer, in_flight: int, meter: Meter, ways: _Ways
    ) -> None:
        self._running = True
        self._all_back = asyncio.Event()
        self._port = layer.port(asyncio.get_running_loop())
        self._mailbox = self._port.mailbox("bench", self)
        self._stamp = in_flight == 1
        content = {
            "reply_channel": f"{self._mailbox.name}!peer",
            "text": _TEXT,
            "stamp": self._stamp,
        }
        self._send = Send(CHANNEL, encode_content(content))
        self._in_flight = in_flight
        self._sent: deque[float] = deque()
        self._meter = meter
        self._ways = ways

    def emptied(self) -> None:
        """Nothing is restarted here."""

    def deliver(self, deliveries: list[Delivery]) -> None:
        """Count what came back, and send as many again."""
        now = time.perf_counter()
        for delivery in deliveries:
            sent = self._sent.popleft()
            self._meter.add(now - sent)
            if self._stamp:
                self._ways.add(sent, delivery.content()["turned"], now)
        if self._running:
            self._post(len(deliveries))
        elif not self._sent:
            self._all_back.set()

    def memberships(self) -> Mapping[str, Collection[str]]:
        """It is in no group."""
        return {}

    def start(self) -> None:
        """Send the first ones."""
        self._post(self._in_flight)

    async def close(self) -> None:
        """Wait for the last ones, then end."""
        self._running = False
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all_back.wait(), _END_TIMEOUT)
        await self._mailbox.close()
        await self._port.close()

    def _post(self, count: int) -> None:
        now = time.perf_counter()
        for _ in range(count):
            self._sent.append(now)
            self._port.post(self._send)


@asynccontextmanager
async def _fairway_traffic(
    url: str, in_flight: int, meter: Meter, ways: _Ways
) -> AsyncIterator[None]:
    layer = make_layer(url)
    echo = EchoThread(layer) if url.startswith("memory:") else None
    if echo:
        echo.start()
    side = _LoopSide(layer, in_flight, meter, ways)
    try:
        side.start()
        yield
    finally:
        await side.close()
        if echo:
            echo.stop()
        layer.close()


@asynccontextmanager
async def _channels_traffic(
    url: str, in_flight: int, meter: Meter, ways: _Ways
) -> AsyncIterator[None]:
    # Only here, because this peer may not be installed.
    from benchmarks.peers import bus_echo

    layer = bus_echo.make_layer(url)
    running = asyncio.Event()

    async def ask() -> None:
        channel = await layer.new_channel()
        while running.is_set():
            sent = time.perf_counter()
            message = {"type": "echo", "reply": channel, "text": _TEXT}
            await layer.send(bus_echo.CHANNEL, message)
            answer = await layer.receive(channel)
            now = time.perf_counter()
            meter.add(now - sent)
            if in_flight == 1:
                ways.add(sent, answer["turned"], now)

    running.set()
    tasks = [asyncio.create_task(ask()) for _ in range(in_flight)]
    try:
        yield
    finally:
        # Not by cancelling: `receive` may swallow that and wait for ever.
        running.clear()
        await asyncio.wait(tasks, timeout=_END_TIMEOUT)
        await layer.close_pools()


@asynccontextmanager
async def _bare_traffic(
    port: int, in_flight: int, meter: Meter, ways: _Ways
) -> AsyncIterator[None]:
    sent: deque[float] = deque()

    def send(count: int) -> None:
        sent.extend([time.perf_counter()] * count)
        side.send(count)

    def returned(moments: list[float]) -> None:
        now = time.perf_counter()
        for turned in moments:
            begun = sent.popleft()
            meter.add(now - begun)
            if in_flight == 1:
                ways.add(begun, turned, now)
        send(len(moments))

    side = BareSide(returned)
    await side.open(port)
    try:
        send(in_flight)
        yield
    finally:
        side.close()
