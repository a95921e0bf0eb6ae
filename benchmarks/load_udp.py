"""Sockets that keep datagrams on their way to a server that sends them back."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from benchmarks.measure import Meter

__all__ = ["echo_load"]

_DATAGRAM = b"x" * 64
_LOST_AFTER = 0.5
_FIRST_TIMEOUT = 30.0


class _Socket(asyncio.DatagramProtocol):
    """Sends a datagram for each that comes back; lost ones are sent again."""

    def __init__(self, in_flight: int, meter: Meter) -> None:
        self.answered = asyncio.Event()
        self._in_flight = in_flight
        self._meter = meter
        self._sent: deque[float] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: object) -> None:
        now = time.perf_counter()
        if not self._sent:  # it was counted as lost
            return
        self._meter.add(now - self._sent.popleft())
        self.answered.set()
        self._send(now)

    def error_received(self, error: Exception) -> None:
        """Nobody listens yet."""

    def fill(self) -> None:
        """Send as many as may be on their way, those that were lost once more."""
        now = time.perf_counter()
        while self._sent and self._sent[0] < now - _LOST_AFTER:
            self._sent.popleft()
        while len(self._sent) < self._in_flight:
            self._send(now)

    def close(self) -> None:
        self._transport.close()

    def _send(self, now: float) -> None:
        self._sent.append(now)
        self._transport.sendto(_DATAGRAM)


@asynccontextmanager
async def echo_load(
    port: int, *, sockets: int, in_flight: int, meter: Meter
) -> AsyncIterator[None]:
    """Keep `sockets` times `in_flight` datagrams of 64 bytes on their way.

    Raises:
        TimeoutError: nobody answers.
    """
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(sockets):
        _, client = await loop.create_datagram_endpoint(
            lambda: _Socket(in_flight, meter), remote_addr=("127.0.0.1", port)
        )
        clients.append(client)

    async def refill() -> None:
        while True:
            for client in clients:
                client.fill()
            await asyncio.sleep(_LOST_AFTER / 2)

    filling = asyncio.create_task(refill())
    try:
        async with asyncio.timeout(_FIRST_TIMEOUT):
            for client in clients:
                await client.answered.wait()
        yield
    finally:
        filling.cancel()
        for client in clients:
            client.close()
