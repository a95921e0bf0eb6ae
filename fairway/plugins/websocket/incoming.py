"""What the frames of a client make: messages put together, and closes, both checked."""

from __future__ import annotations

import codecs
from typing import Any

from fairway.kit import RemoteProtocolError
from fairway.plugins.websocket.deflate import Inflater
from fairway.plugins.websocket.events import (
    BytesReceived,
    CloseReceived,
    TextReceived,
    WireEvent,
)
from fairway.plugins.websocket.frames import is_close_code

__all__ = ["PROTOCOL_ERROR", "IncomingMessage", "not_utf8", "read_close"]

PROTOCOL_ERROR = 1002
_NOT_UTF8, _TOO_BIG = 1007, 1009

_FREE_FRAGMENTS = 1024
_FRAGMENT_SIZE = 64
"""Fragments beyond the free ones must have as many bytes in the mean."""

_open_decoder = codecs.getincrementaldecoder("utf-8")


class IncomingMessage:
    """A message on its way in. Text is decoded once, strictly, as it arrives.

    It is bounded at each frame, each fragment and each inflated byte: all methods raise
    RemoteProtocolError with the close code, 1007 or 1009.

    Args:
        limit: bytes of the longest message.
        inflated: whether its content travels compressed.
    """

    __slots__ = (
        "_bytes_left",
        "_decoder",
        "_fragments_left",
        "_inflater",
        "_pieces",
    )

    def __init__(self, limit: int, *, text: bool, inflated: bool) -> None:
        # Data that cannot be compressed grows; zlib's deflateBound knows by how much.
        self._bytes_left = limit + limit // 4 + 1024 if inflated else limit
        self._fragments_left = _FREE_FRAGMENTS + limit // _FRAGMENT_SIZE
        self._inflater = Inflater(limit) if inflated else None
        self._decoder = _open_decoder() if text else None
        self._pieces: list[Any] = []

    def begin_frame(self, length: int) -> None:
        """Count a frame by its header, before its content has come."""
        self._bytes_left -= length
        self._fragments_left -= 1
        if self._bytes_left < 0:
            raise RemoteProtocolError("the message is too large", status=_TOO_BIG)
        if self._fragments_left < 0:
            raise RemoteProtocolError(
                "the message has too many fragments", status=_TOO_BIG
            )

    def add(self, piece: bytes) -> None:
        """Take a part of the content, cut anywhere."""
        self._keep(piece if self._inflater is None else self._inflater.received(piece))

    def finish(self) -> WireEvent:
        """Return the whole message."""
        if self._inflater is not None:
            self._keep(self._inflater.finished())
        if self._decoder is None:
            return BytesReceived(b"".join(self._pieces))
        self._keep(b"", final=True)
        return TextReceived("".join(self._pieces))

    def _keep(self, piece: bytes, final: bool = False) -> None:
        if self._decoder is None:
            self._pieces.append(piece)
            return
        try:
            self._pieces.append(self._decoder.decode(piece, final))
        except UnicodeDecodeError:
            raise not_utf8() from None


def read_close(code: int | None, reason: bytes) -> CloseReceived:
    """Read what a close frame says.

    Raises:
        RemoteProtocolError: 1002 for a code that may not travel, 1007 for a reason that
            is not UTF-8.
    """
    if code is not None and not is_close_code(code):
        raise RemoteProtocolError("invalid close code", status=PROTOCOL_ERROR)
    try:
        return CloseReceived(code, reason.decode())
    except UnicodeDecodeError:
        raise not_utf8() from None


def not_utf8() -> RemoteProtocolError:
    """Return the error of text that is not UTF-8."""
    return RemoteProtocolError("text is not UTF-8", status=_NOT_UTF8)
