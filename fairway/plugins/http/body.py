"""The body of a request as a file: inline bytes, or pulled from the host in chunks.

A body above 256 KiB waits in a file of the interface server. It is complete before the
worker hears of the request, so reading it never waits for a client.
"""

from __future__ import annotations

import io
from collections import deque
from typing import Any, BinaryIO

from fairway.kit import Channel, Content, FairwayError, Message, Receiver

__all__ = ["CHUNK_SIZE", "PATIENCE", "WINDOW", "open_body"]

CHUNK_SIZE = 256 * 1024
"""Bytes that one message carries at most, of bodies and of responses."""
WINDOW = 8
"""Chunks that may be on their way."""
PATIENCE = 60.0
"""Seconds without a sign of the other end until it is given up."""


def open_body(message: Message, reply_channel: Channel) -> BinaryIO:
    """Return the body of an `http.request` message as a file.

    Reading raises OSError when the host has it no longer.
    """
    if message.content.get("body_channel"):
        return io.BufferedReader(_PulledBody(message, reply_channel), CHUNK_SIZE)
    return io.BytesIO(message.content.get("body", b""))


class _PulledBody(io.RawIOBase):
    """A body that comes in chunks, `WINDOW` of them on their way at any time."""

    def __init__(self, message: Message, reply_channel: Channel) -> None:
        super().__init__()
        self._reply_channel = reply_channel
        self._receiver: Receiver = message.layer.receiver(
            [message.content["body_channel"]]
        )
        self._missing: int = message.content["body_size"]
        self._room = WINDOW
        self._arrived: deque[Content] = deque()
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` from one chunk; 0 is the end.

        Raises:
            OSError: the client left, or the host did not send the next chunk in time.
        """
        if not self._chunk and self._missing:
            self._chunk = memoryview(self._next_chunk())
        size = min(len(buffer), len(self._chunk))
        buffer[:size] = self._chunk[:size]
        self._chunk = self._chunk[size:]
        return size

    def close(self) -> None:
        """Stop listening; what is still on its way expires."""
        super().close()
        self._receiver.close()

    def _next_chunk(self) -> bytes:
        content = self._receive()
        chunk: bytes = content.get("content", b"")
        if content.get("closed") or not chunk:
            raise OSError("the body is gone: the client left before it was read")
        self._missing -= len(chunk)
        if content["more_content"] is not (self._missing > 0):
            raise OSError("the body is not as long as the host said")
        return chunk

    def _receive(self) -> Content:
        try:
            if self._room >= WINDOW // 2:
                self._reply_channel.send({"pull_body": self._room}, immediately=True)
                self._room = 0
            if not self._arrived:
                taken = self._receiver.take(WINDOW, PATIENCE)
                self._arrived.extend(delivery.content() for delivery in taken)
        except FairwayError as error:
            raise OSError(f"the body cannot be pulled: {error}") from error
        if not self._arrived:
            raise OSError(f"the host sent no part of the body for {PATIENCE:.0f} s")
        self._room += 1
        return self._arrived.popleft()
