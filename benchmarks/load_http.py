"""A load generator for HTTP: so many connections, each asks again when answered."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from benchmarks.measure import Meter

__all__ = ["HttpLoad", "answer_size", "http_load", "post"]

_BROWSER = (
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: en-GB,en;q=0.5\r\n"
    b"Accept-Encoding: gzip, deflate, br\r\n"
    b"Connection: keep-alive\r\n"
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"Cache-Control: max-age=0\r\n"
)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"


def request(method: str, path: str, port: int, body: bytes = b"") -> bytes:
    """Build a request as a browser would send it."""
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode()
    return head + _BROWSER + length + b"\r\n" + body


def answer_size(buffer: bytes) -> int | None:
    """Return the size of the complete answer at the start, None when it is not there.

    Raises:
        RuntimeError: it is not a 200, or has no framing.
    """
    head = buffer.find(b"\r\n\r\n")
    if head < 0:
        return None
    if not buffer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"answered {buffer[:40]!r}")
    if found := _LENGTH.search(buffer, 0, head):
        size = head + 4 + int(found[1])
        return size if len(buffer) >= size else None
    if not _CHUNKED.search(buffer, 0, head):
        raise RuntimeError(f"an answer without framing: {buffer[:head]!r}")
    end = buffer.find(_LAST_CHUNK, head)
    return end + len(_LAST_CHUNK) if end >= 0 else None


class HttpLoad:
    """Connections that are always waiting for an answer.

    A server that closes after each answer gets a new connection; its time counts.
    """

    def __init__(self, port: int, path: str, meter: Meter) -> None:
        self.port = port
        self.request = request("GET", path, port)
        self.meter = meter
        self.connections: set[_Connection] = set()
        self.running = True
        self.failure: Exception | None = None
        self._opening: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Begin to open one more connection."""
        task = asyncio.get_running_loop().create_task(self._open())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def lost(self, connection: _Connection) -> None:
        """Replace a connection that the server closed."""
        self.connections.discard(connection)
        if self.running:
            self.open()

    def stop(self) -> None:
        """Close all.

        Raises:
            RuntimeError: an answer was wrong.
        """
        self.running = False
        for connection in list(self.connections):
            connection.close()
        if self.failure:
            raise RuntimeError(str(self.failure)) from self.failure

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(
                lambda: _Connection(self), "127.0.0.1", self.port
            )
        except OSError as error:
            self.failure = error
            self.running = False


class _Connection(asyncio.Protocol):
    __slots__ = ("_buffer", "_load", "_since", "_transport")

    def __init__(self, load: HttpLoad) -> None:
        self._load = load
        self._buffer = b""
        self._since = time.perf_counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._load.running:
            self._transport.abort()
            return
        self._load.connections.add(self)
        self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        try:
            size = answer_size(buffer)
        except RuntimeError as error:
            self._load.failure = error
            self._transport.abort()
            return
        if size is None:
            self._buffer = buffer
            return
        self._buffer = b""
        now = time.perf_counter()
        self._load.meter.add(now - self._since)
        if b"\r\nConnection: close\r\n" in buffer:
            self._transport.close()
            return
        self._since = now
        self._transport.write(self._load.request)

    def connection_lost(self, error: Exception | None) -> None:
        self._load.lost(self)

    def close(self) -> None:
        self._transport.abort()


@asynccontextmanager
async def http_load(
    port: int, path: str, *, connections: int, meter: Meter
) -> AsyncIterator[None]:
    """Load a server while the block lasts.

    Raises:
        RuntimeError: an answer was wrong.
    """
    load = HttpLoad(port, path, meter)
    for _ in range(connections):
        load.open()
    try:
        yield
    finally:
        load.stop()


async def post(port: int, path: str, body: bytes) -> None:
    """Send a body and wait for its 200.

    Raises:
        RuntimeError: another answer, or none.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request("POST", path, port, body))
        buffer = b""
        while answer_size(buffer) is None:
            more = await reader.read(65_536)
            if not more:
                raise RuntimeError("closed without an answer")
            buffer += more
    finally:
        writer.close()
