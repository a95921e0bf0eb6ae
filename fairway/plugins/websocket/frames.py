"""Frames that a server sends, and the rules of close codes (RFC 6455, 5 and 7.4)."""

from __future__ import annotations

from msgspec import Struct

from fairway.plugins.websocket.deflate import compress

__all__ = [
    "BINARY",
    "CLOSE",
    "MAX_REASON_BYTES",
    "PING",
    "PONG",
    "TEXT",
    "Frames",
    "build_close",
    "build_frame",
    "is_close_code",
]

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_FIN, _RSV1 = 0x80, 0x40

MAX_REASON_BYTES = 123
"""Bytes of a close reason: a control frame's 125 without the code."""

_WORTH_DEFLATING = 64
"""Bytes below which a compressed message is hardly ever shorter."""

# https://www.iana.org/assignments/websocket: 1004 is reserved; 1005, 1006 and 1015
# never travel.
_ASSIGNED = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})


def is_close_code(code: int) -> bool:
    """Return whether a close frame may carry this code."""
    return code in _ASSIGNED or 3000 <= code <= 4999


def build_frame(opcode: int, payload: bytes, *, compressed: bool = False) -> bytes:
    """Build an unfragmented, unmasked frame."""
    first = _FIN | opcode | (_RSV1 if compressed else 0)
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2) + payload
    return bytes((first, 127)) + size.to_bytes(8) + payload


class Frames(Struct):
    """The frames of one message, built when first wanted: one for each compression."""

    opcode: int
    payload: bytes
    built: dict[int, bytes] = {}

    def get(self, deflate: int) -> bytes:
        """Return the frame for connections of these window bits, 0 for plain.

        No context is taken over, so that all of the same bits may get the same frame.
        """
        frame = self.built.get(deflate)
        if frame is None:
            payload = self.payload
            if deflate and len(payload) >= _WORTH_DEFLATING:
                compressed = compress(payload, deflate)
                frame = build_frame(self.opcode, compressed, compressed=True)
            else:
                frame = build_frame(self.opcode, payload)
            self.built[deflate] = frame
        return frame


def build_close(code: int | None, reason: str) -> bytes:
    """Build a close frame; a reason that is too long is cut between characters."""
    if code is None:
        return build_frame(CLOSE, b"")
    text = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
    return build_frame(CLOSE, code.to_bytes(2) + text.encode())
