"""A TCP proxy that delays, swallows and cuts what passes, as networks do."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

__all__ = ["Proxy"]

_START_TIMEOUT = 20.0


class Proxy:
    """Passes connections on to a port of 127.0.0.1; in a thread of its own.

    Args:
        target: the port behind it.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.delay = 0.0
        """Seconds that bytes are on their way, in both directions."""
        self.swallows = False
        """Whether bytes get lost while connections stay open."""
        self.bites = 0
        """How many of the coming answers of the target are cut in their middle, each
        together with its connection."""
        self.rewrite: Callable[[bytes], bytes] = bytes
        """What becomes of the target's bytes."""
        self._target = target
        self._pairs: set[_End] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="proxy")

    def cut(self) -> None:
        """Reset all connections."""
        self._loop.call_soon_threadsafe(self._cut)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_START_TIMEOUT)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    def _cut(self) -> None:
        for end in list(self._pairs):
            end.cut()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        server = await self._loop.create_server(
            lambda: _End(self, self._pairs), "127.0.0.1", 0
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        self._cut()
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    async def connect(self, near: _End) -> None:
        """Make the connection behind a connection."""
        for port in self.choose():
            try:
                _, far = await self._loop.create_connection(
                    lambda: _End(self, self._pairs, near), "127.0.0.1", port
                )
            except OSError:
                continue
            near.paired(far)
            return
        near.cut()

    def choose(self) -> list[int]:
        """Return where the next connection may go, in the order of trying."""
        return [self._target]


class _End(asyncio.Protocol):
    """One end of a pair of connections.

    Args:
        other: the end that a client made; None makes this one that end.
    """

    def __init__(
        self, proxy: Proxy, all_: set[_End], other: _End | None = None
    ) -> None:
        self._proxy = proxy
        self._all = all_
        self._other = other
        self._is_near = other is None
        self._early: list[bytes] = []
        self._passing: deque[bytes] = deque()
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)
        self._all.add(self)
        if self._is_near:
            loop = asyncio.get_running_loop()
            self._connecting = loop.create_task(self._proxy.connect(self))

    def paired(self, other: _End) -> None:
        """The connection behind is there."""
        self._other = other
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if self._other is None:
            self._early.append(data)
        elif self._proxy.swallows:
            pass
        elif self._proxy.bites and not self._is_near and len(data) > 1:
            self._proxy.bites -= 1
            self._other.write(data[: len(data) // 2])
            self._other.finish()
            self.cut()
        else:
            self._other.write(data if self._is_near else self._proxy.rewrite(data))

    def write(self, data: bytes) -> None:
        """Send bytes when they have been on their way for long enough."""
        self._passing.append(data)
        if self._proxy.delay:
            asyncio.get_running_loop().call_later(self._proxy.delay, self._pass_one)
        else:
            self._pass_one()

    def finish(self) -> None:
        """Close once everything was sent."""
        if self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        """Reset the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop."""
        self._all.discard(self)
        if self._other is None or self._other.is_closing:
            return
        if error is None:
            self._other.finish()
        else:
            self._other.cut()

    @property
    def is_closing(self) -> bool:
        """Whether it ends, or has ended."""
        return self._transport is None or self._transport.is_closing()

    def _pass_one(self) -> None:
        if self._passing and self._transport is not None:
            self._transport.write(self._passing.popleft())
