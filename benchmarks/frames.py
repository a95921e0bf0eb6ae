"""The few WebSocket frames that a load generator needs (RFC 6455, section 5.2)."""

from __future__ import annotations

import struct
from typing import NamedTuple

__all__ = ["CLOSE", "PING", "Frame", "masked", "read_frame", "text_frame"]

TEXT = 1
CLOSE = 8
PING = 9
PONG = 10

_FINAL = 0x80
_MASK = b"\x21\x09\x47\x5a"
"""Clients must mask; a fixed key is as good as any among friends."""


class Frame(NamedTuple):
    """One frame from a server."""

    opcode: int
    payload: bytes
    end: int
    """Bytes that the frame took."""


def text_frame(payload: bytes) -> bytes:
    """Build a server's text frame."""
    return _head(TEXT, len(payload), 0) + payload


def masked(opcode: int, payload: bytes) -> bytes:
    """Build a client's frame."""
    repeated = _MASK * (len(payload) // 4 + 1)
    body = bytes(byte ^ key for byte, key in zip(payload, repeated, strict=False))
    return _head(opcode, len(payload), 0x80) + _MASK + body


def read_frame(buffer: bytes) -> Frame | None:
    """Read the first frame of a server's bytes, None when it is not complete."""
    if len(buffer) < 2:
        return None
    start, size = 2, buffer[1]
    if size == 126:
        if len(buffer) < 4:
            return None
        start, size = 4, int.from_bytes(buffer[2:4], "big")
    elif size == 127:
        if len(buffer) < 10:
            return None
        start, size = 10, int.from_bytes(buffer[2:10], "big")
    end = start + size
    if len(buffer) < end:
        return None
    return Frame(buffer[0] & 0x0F, buffer[start:end], end)


def _head(opcode: int, size: int, mask: int) -> bytes:
    if size < 126:
        return bytes([_FINAL | opcode, mask | size])
    if size < 65_536:
        return struct.pack(">BBH", _FINAL | opcode, mask | 126, size)
    return struct.pack(">BBQ", _FINAL | opcode, mask | 127, size)
