"""Decodes a body in chunks (RFC 9112 section 7.1), strictly, every part bounded."""

from __future__ import annotations

import re

from fairway.kit import RemoteProtocolError
from fairway.plugins.http.fields import CONTROL

__all__ = ["ChunkDecoder"]

_MAX_LINE = 1_024
"""Bytes of a line with a chunk's size and extensions."""
_MAX_EXTENSIONS = 16 * 1024
"""Bytes of all extensions of a body; they are dropped."""
_MAX_TRAILERS = 8 * 1024
"""Bytes of all trailer fields; they are dropped."""

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})((?:;[\t\x20-\x7e]*)?)")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\x84\x86-\xff]*")


class ChunkDecoder:
    """The state between two reads of one body."""

    __slots__ = ("_extensions", "_failure", "_left", "_trailers", "done")

    def __init__(self) -> None:
        self.done = False
        """Whether the body has ended."""
        # Bytes of the chunk that are missing, with the line end after it; 0 between
        # chunks, None after the last one.
        self._left: int | None = 0
        self._extensions = 0
        self._trailers = 0
        self._failure: RemoteProtocolError | None = None

    def decode(self, buffer: bytes | bytearray, position: int) -> tuple[bytes, int]:
        """Take what can be taken; return the data and where to go on.

        Stops behind the body's last byte.

        Raises:
            RemoteProtocolError: this is no body in chunks.
        """
        if self._failure is not None:
            raise self._failure
        parts: list[bytes | bytearray] = []
        try:
            position = self._decode(buffer, position, parts)
        except RemoteProtocolError as error:
            if not parts:
                raise
            self._failure = error  # what came before it counts, however it was cut
        return b"".join(parts), position

    def _decode(
        self,
        buffer: bytes | bytearray,
        position: int,
        parts: list[bytes | bytearray],
    ) -> int:
        while not self.done:
            if self._left:
                position = self._data(buffer, position, parts)
                if self._left:
                    break
            end = buffer.find(b"\r\n", position, position + _MAX_LINE + 2)
            if end < 0:
                self._check_begun(buffer[position : position + _MAX_LINE + 2])
                break
            self._line(bytes(buffer[position:end]))
            position = end + 2
        return position

    def _data(
        self,
        buffer: bytes | bytearray,
        position: int,
        parts: list[bytes | bytearray],
    ) -> int:
        assert self._left is not None
        end = min(position + self._left, len(buffer))
        data_end = min(position + max(0, self._left - 2), len(buffer))
        if data_end > position:
            parts.append(buffer[position:data_end])
        self._check_end(buffer[data_end:end], self._left - (data_end - position))
        self._left -= end - position
        return end

    def _line(self, line: bytes) -> None:
        if self._left is None:
            self._trailer(line)
            return
        match = _SIZE.fullmatch(line)
        if match is None:
            raise _malformed()
        self._extensions += len(match[2])
        if self._extensions > _MAX_EXTENSIONS:
            raise _malformed()
        size = int(match[1], 16)
        self._left = size + 2 if size else None

    def _trailer(self, line: bytes) -> None:
        if not line:
            self.done = True
            return
        self._trailers += len(line) + 2
        if self._trailers > _MAX_TRAILERS or not _TRAILER.fullmatch(line):
            raise _malformed()

    @staticmethod
    def _check_end(found: bytes | bytearray, missing: int) -> None:
        """Check as much as is there of the line end after a chunk's data."""
        if found and found != b"\r\n"[2 - missing :][: len(found)]:
            raise _malformed()

    @staticmethod
    def _check_begun(line: bytes | bytearray) -> None:
        """Refuse an incomplete line as soon as it cannot become a good one."""
        if len(line) > _MAX_LINE + 1 or CONTROL.search(line.removesuffix(b"\r")):
            raise _malformed()


def _malformed() -> RemoteProtocolError:
    return RemoteProtocolError("malformed chunk", status=400)
