"""Keeps one connection of an event loop open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from fairway.core.bus.redis.address import Address
from fairway.core.bus.redis.outage import Backoff, Outage
from fairway.core.bus.redis.resp import LinkDown
from fairway.core.bus.redis.wire import Wire, open_wire

__all__ = ["Line"]

_SETTLED = 5.0
"""Seconds that a connection must last for the next one to be made at once."""


class Line:
    """Connects, and connects again with backoff and jitter, until it is closed.

    Args:
        opened: called with each new connection.
        failed: called when there is none for a while, before each wait.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        address: Address,
        outage: Outage,
        *,
        opened: Callable[[Wire], None],
        failed: Callable[[str], None],
    ) -> None:
        self.wire: Wire | None = None
        """The connection, None while there is none."""
        self.trouble: str | None = None
        """Why there is no connection for a while, None while one is tried or there."""
        self._loop = loop
        self._address = address
        self._outage = outage
        self._opened = opened
        self._failed = failed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, unless that was done."""
        if self._task is None:
            self._task = self._loop.create_task(self._keep())

    def drop(self) -> None:
        """End the connection and make a new one; that is no outage."""
        if self.wire is not None:
            self.wire.close()

    async def close(self) -> None:
        """End it for good."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self.wire is not None:
            self.wire.close()
            await asyncio.wait([self.wire.lost])
            self.wire = None

    async def _keep(self) -> None:
        backoff = Backoff()
        while True:
            began = time.monotonic()
            try:
                wire = await open_wire(self._loop, self._address)
            except LinkDown as down:
                self._outage.begin(down.reason, began)
                await self._wait(down.reason, backoff)
                continue
            self._outage.end()
            self.wire = wire
            self._opened(wire)
            await asyncio.wait([wire.lost])
            self.wire = None
            if wire.failure is None:
                continue
            self._outage.begin(wire.failure, wire.heard)
            if time.monotonic() - began > _SETTLED:
                backoff.reset()
            else:
                await self._wait(wire.failure, backoff)

    async def _wait(self, reason: str, backoff: Backoff) -> None:
        self.trouble = reason
        self._failed(reason)
        await asyncio.sleep(backoff.wait())
        self.trouble = None
