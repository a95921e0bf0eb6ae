"""Thousands of raw WebSockets that come back as client.js does."""

from __future__ import annotations

import asyncio
import random
import time
from typing import cast

from fairway.testing.layer_case import until

__all__ = ["Crowd"]

_HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)
_CLOSE, _PING, _PONG = 0x88, 0x89, 0x8A
_JITTER = 1.0
"""Seconds; client.js waits a random part of it before its first retry."""
_AT_ONCE = 100


class Crowd:
    """Clients that connect to `port`, and again whenever they are closed.

    Attributes:
        port: of 127.0.0.1; for those that connect from now on.
        closes: when each that was open was closed, and with which code; 1006 for none.
        refusals: how many handshakes failed and were tried again.
        handshakes: when each handshake was answered with 101.
        gaps: for how many seconds each that came back was not connected.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.closes: list[tuple[float, int]] = []
        self.refusals = 0
        self.handshakes: list[float] = []
        self.gaps: list[float] = []
        self.ends = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets: set[_Socket] = set()

    async def gather(self, count: int) -> None:
        """Connect so many, some at a time, and wait until all are."""
        for done in range(0, count, _AT_ONCE):
            batch = min(_AT_ONCE, count - done)
            await asyncio.gather(*(self._connect() for _ in range(batch)))
            await self.wait_for(done + batch)

    async def wait_for(self, count: int, timeout: float = 30.0) -> None:
        """Wait until so many handshakes were answered."""
        await until(lambda: len(self.handshakes) >= count, timeout)

    async def leave(self) -> None:
        """End all connections."""
        self.ends = True
        for socket in list(self._sockets):
            socket.end()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def opened(self, since: float | None) -> None:
        """A handshake was answered, of a client that was closed at `since`."""
        now = time.monotonic()
        self.handshakes.append(now)
        if since is not None:
            self.gaps.append(now - since)

    def closed(self, socket: _Socket, code: int, since: float | None) -> None:
        """A connection was closed, or its handshake failed; `since` as in `opened`."""
        self._sockets.discard(socket)
        if self.ends:
            return
        if socket.is_open or since is None:
            since = time.monotonic()
            self.closes.append((since, code))
        else:
            self.refusals += 1
        task = asyncio.get_running_loop().create_task(self._return(since))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _return(self, since: float) -> None:
        await asyncio.sleep(random.uniform(0.0, _JITTER))
        await self._connect(since)

    async def _connect(self, since: float | None = None) -> None:
        socket = _Socket(self, since)
        self._sockets.add(socket)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: socket, "127.0.0.1", self.port)


class _Socket(asyncio.Protocol):
    def __init__(self, crowd: Crowd, since: float | None) -> None:
        self._crowd = crowd
        self._since = since
        self.is_open = False
        self._code = 1006
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(_HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        if not self.is_open and data.startswith(b"HTTP/1.1 101 "):
            self.is_open = True
            self._crowd.opened(self._since)
        # Text here is ASCII, so that these bytes begin frames.
        if (at := data.find(_PING)) >= 0:
            self._answer(data[at + 2 : at + 2 + data[at + 1]])
        if (at := data.find(_CLOSE)) >= 0:
            self._code = int.from_bytes(data[at + 2 : at + 4], "big")
            self.end()

    def connection_lost(self, error: Exception | None) -> None:
        self._crowd.closed(self, self._code, self._since)

    def _answer(self, payload: bytes) -> None:
        if self._transport is not None:
            head = bytes([_PONG, 0x80 | len(payload)])
            self._transport.write(head + bytes(4) + payload)

    def end(self) -> None:
        if self._transport is not None:
            self._transport.close()
