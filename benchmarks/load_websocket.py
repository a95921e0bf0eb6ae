"""A load generator for WebSockets: plain text, no extension, fixed masks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from benchmarks.frames import CLOSE, PING, PONG, TEXT, masked, read_frame
from benchmarks.measure import Meter

__all__ = ["Socket", "echo_load", "open_sockets"]

_OPENING = 50
"""Handshakes at once."""
_OPEN_TIMEOUT = 60.0
_CLOSE_TIMEOUT = 20.0
_FAREWELL = masked(CLOSE, b"\x03\xe8")


class Socket(asyncio.Protocol):
    """One WebSocket.

    Args:
        received: called with each text.
    """

    __slots__ = ("_buffer", "_handshake", "_transport", "closed", "opened", "received")

    def __init__(
        self, port: int, path: str, received: Callable[[Socket, bytes], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.received = received
        self._buffer = b""
        self._handshake = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Origin: http://127.0.0.1:{port}\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n"
        ).encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._handshake)

    def data_received(self, data: bytes) -> None:
        """Take the handshake's answer, then frames."""
        self._buffer += data
        if not self.opened.done():
            self._end_handshake()
            return
        while frame := read_frame(self._buffer):
            self._buffer = self._buffer[frame.end :]
            if frame.opcode == TEXT:
                self.received(self, frame.payload)
            elif frame.opcode == PING:
                self.write(masked(PONG, frame.payload))
            elif frame.opcode == CLOSE:
                self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Let those who wait for it know."""
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionError("refused"))
        self.closed.set_result(None)

    def write(self, frame: bytes) -> None:
        """Send a frame, unless the connection is closing."""
        if not self._transport.is_closing():
            self._transport.write(frame)

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def _end_handshake(self) -> None:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        if head.startswith(b"HTTP/1.1 101 "):
            self.opened.set_result(None)
            self._buffer = b""
            if rest:
                self.data_received(rest)
        else:
            self.opened.set_exception(ConnectionError(f"answered {head[:40]!r}"))


@asynccontextmanager
async def open_sockets(
    port: int, path: str, received: Callable[[Socket, bytes], None]
) -> AsyncIterator[Opener]:
    """Give an opener of sockets, all of which are closed at the end of the block."""
    opener = Opener(port, path, received)
    try:
        yield opener
    finally:
        await opener.close()


class Opener:
    """Sockets to one path."""

    def __init__(
        self, port: int, path: str, received: Callable[[Socket, bytes], None]
    ) -> None:
        self.sockets: list[Socket] = []
        self._port = port
        self._path = path
        self._received = received

    async def grow(self, count: int) -> None:
        """Open sockets until there are so many.

        Raises:
            OSError: one was refused.
            TimeoutError: they were not open in time.
        """
        async with asyncio.timeout(_OPEN_TIMEOUT):
            while (missing := count - len(self.sockets)) > 0:
                some = min(missing, _OPENING)
                self.sockets += await asyncio.gather(
                    *(self._open() for _ in range(some))
                )

    async def close(self) -> None:
        """Say goodbye to all, and cut those that do not answer."""
        for socket in self.sockets:
            socket.write(_FAREWELL)
        waiting = [socket.closed for socket in self.sockets]
        if waiting:
            await asyncio.wait(waiting, timeout=_CLOSE_TIMEOUT)
        for socket in self.sockets:
            socket.abort()

    async def _open(self) -> Socket:
        loop = asyncio.get_running_loop()
        _transport, socket = await loop.create_connection(
            lambda: Socket(self._port, self._path, self._received),
            "127.0.0.1",
            self._port,
        )
        await socket.opened
        return socket


@asynccontextmanager
async def echo_load(
    port: int,
    path: str,
    *,
    connections: int,
    meter: Meter,
    text: bytes = b"x" * 64,
    apart: float = 0.0,
) -> AsyncIterator[None]:
    """Load a server while the block lasts: each socket sends again when answered.

    Args:
        apart: seconds from the first message of a socket to that of the next.

    Raises:
        RuntimeError: an answer was wrong, or a socket was closed.
    """
    frame = masked(TEXT, text)
    since: dict[Socket, float] = {}
    wrong: list[bytes] = []

    def received(socket: Socket, payload: bytes) -> None:
        now = time.perf_counter()
        if payload != text:
            wrong.append(payload)
            return
        meter.add(now - since[socket])
        since[socket] = now
        socket.write(frame)

    async with open_sockets(port, path, received) as opener:
        await opener.grow(connections)
        for socket in opener.sockets:
            since[socket] = time.perf_counter()
            socket.write(frame)
            if apart:
                await asyncio.sleep(apart)
        yield
        lost = sum(socket.closed.done() for socket in opener.sockets)
        if wrong or lost:
            raise RuntimeError(f"{len(wrong)} wrong echoes, {lost} sockets lost")
