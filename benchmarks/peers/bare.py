"""The limit of a broadcast: a loop that writes one prebuilt frame to all transports.

It answers what the load generators ask for and no more, and is no web server.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import sys
from typing import cast

import uvloop

from benchmarks.frames import text_frame

_KEY = re.compile(rb"\r\nsec-websocket-key: *(\S+)", re.IGNORECASE)
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_CLOSE_FRAME = b"\x88\x00"


class _Connection(asyncio.Protocol):
    members: set[asyncio.Transport] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._transport in self.members:  # it has nothing to say but farewell
            self._transport.write(_CLOSE_FRAME)
            self._transport.close()
        elif key := _KEY.search(data):
            digest = hashlib.sha1(key[1] + _GUID, usedforsecurity=False).digest()
            self._transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
                + base64.b64encode(digest)
                + b"\r\n\r\n"
            )
            self.members.add(self._transport)
        else:
            if data.startswith(b"POST"):
                self._tell_all(data.partition(b"\r\n\r\n")[2])
            self._transport.write(_OK)

    def connection_lost(self, error: Exception | None) -> None:
        self.members.discard(self._transport)

    def _tell_all(self, text: bytes) -> None:
        frame = text_frame(text)
        for transport in self.members:
            transport.write(frame)


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    # As many waiting connections as fairway and the peers allow.
    server = await loop.create_server(_Connection, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))
