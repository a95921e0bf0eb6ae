"""A peer of W6 that is no layer: two lists of Redis, and bytes that nobody reads.

What it needs is what it costs here to wake Redis and another process, and to speak to
them. As a program it is the other end: `python -m benchmarks.peers.bare_bus PORT`.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import cast

from hiredis import Reader

from fairway.core.bus.redis.resp import pack

__all__ = ["BareSide"]

_THERE, _BACK = "bare.there", "bare.back"
_BATCH = 64
"""What is taken at once."""
_TURNED = struct.Struct("=d")
"""When a message was turned round; in front of what came."""


class BareSide:
    """An event loop's end: one connection that writes, and one that waits.

    Args:
        returned: called with the moments at which messages were turned round.
    """

    def __init__(self, returned: Callable[[list[float]], None]) -> None:
        self._returned = returned
        self._writer = _Connection(lambda answer: None)
        self._waiter = _Connection(self._arrived)

    async def open(self, port: int) -> None:
        """Connect both, and wait for the first message."""
        loop = asyncio.get_running_loop()
        for connection in (self._writer, self._waiter):
            await loop.create_connection(partial(_same, connection), "127.0.0.1", port)
        self._waiter.write(_take(_BACK))

    def send(self, count: int) -> None:
        """Send messages in one write."""
        self._writer.write(pack([("RPUSH", _THERE, *["x" * 64] * count)]))

    def close(self) -> None:
        """Let both go."""
        self._writer.transport.close()
        self._waiter.transport.close()

    def _arrived(self, answer: tuple[bytes, list[bytes]]) -> None:
        self._waiter.write(_take(_BACK))
        self._returned([_TURNED.unpack_from(message)[0] for message in answer[1]])


class _Connection(asyncio.Protocol):
    def __init__(self, answered: Callable[[tuple[bytes, list[bytes]]], None]) -> None:
        self._answered = answered
        self._reader = Reader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)
        self.write = self.transport.write

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not False:
            self._answered(answer)


def _same(connection: _Connection) -> _Connection:
    return connection


def _take(queue: str) -> bytes:
    return pack([("BLMPOP", 0, 1, queue, "LEFT", "COUNT", _BATCH)])


def main(port: int) -> None:
    """Send back whatever comes until terminated."""
    reader = Reader()
    with socket.create_connection(("127.0.0.1", port)) as connection:

        def answer() -> tuple[bytes, list[bytes]]:
            while (found := reader.gets()) is False:
                reader.feed(connection.recv(65_536))
            return cast(tuple[bytes, list[bytes]], found)

        connection.sendall(_take(_THERE))
        while True:
            _, taken = answer()
            turned = _TURNED.pack(time.perf_counter())
            back = pack([("RPUSH", _BACK, *(turned + each for each in taken))])
            connection.sendall(back + _take(_THERE))
            answer()


if __name__ == "__main__":
    main(int(sys.argv[1]))
