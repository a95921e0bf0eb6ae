"""Finds requests in the bytes of a connection: bytes in, events out, no I/O.

The limits count raw bytes as they come. The head of a request is held back until it is
complete, so that one place reads it and the events do not depend on how the bytes were
cut; what cannot become a good head is refused at once.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from fairway.kit import RemoteProtocolError
from fairway.plugins.http.chunked import ChunkDecoder
from fairway.plugins.http.fields import CONTROL
from fairway.plugins.http.head import CHUNKED, Head, read_head
from fairway.plugins.http.spec import HttpConfig

__all__ = [
    "BodyReceived",
    "Malformed",
    "RequestCompleted",
    "RequestParser",
    "WireEvent",
]


class BodyReceived(Struct, frozen=True, gc=False):
    """Some of its body, never empty."""

    data: bytes


class RequestCompleted(Struct, frozen=True, gc=False):
    """A request with a body has ended."""


class Malformed(Struct, frozen=True, gc=False):
    """What follows cannot be read: the last event of a connection."""

    status: int
    reason: str


WireEvent: TypeAlias = Head | BodyReceived | RequestCompleted | Malformed
"""A head begins a request, which ends at once when its length is 0."""

_END = b"\r\n\r\n"
_COMPLETED = RequestCompleted()


class RequestParser:
    """Reads the requests of one connection, one event at a time.

    Whoever stops asking for events leaves the bytes here: `buffered` says how many.
    """

    __slots__ = (
        "_blank_seen",
        "_body",
        "_buffer",
        "_config",
        "_failed",
        "_fields",
        "_line_start",
        "_position",
        "_scanned",
        "buffered",
        "ready",
    )

    def __init__(self, config: HttpConfig) -> None:
        self.ready = False
        """Whether there may be an event."""
        self.buffered = 0
        """Bytes that no event was made of yet."""
        self._config = config
        self._buffer: bytes | bytearray = b""
        self._position = 0
        # None between requests, the bytes that are missing, or what decodes chunks.
        self._body: int | ChunkDecoder | None = None
        self._failed = False
        self._blank_seen = False
        # How far the look at an incomplete head has got, so that no byte of a client
        # that sends few at a time is looked at often: the line, the byte, the fields.
        self._line_start = -1
        self._scanned = 0
        self._fields = -1

    def receive(self, data: bytes) -> None:
        """Take bytes, cut anywhere."""
        if self._failed:
            return
        self.ready = True
        self.buffered += len(data)
        if not self._buffer:
            self._buffer = data
            return
        if isinstance(self._buffer, bytes):
            self._buffer = bytearray(self._buffer)
        if self._position:
            del self._buffer[: self._position]
            self._line_start -= self._position
            self._scanned -= self._position
            self._position = 0
        self._buffer += data

    def next_event(self) -> WireEvent | None:
        """Return what happened next, None when more bytes are needed."""
        if not self.ready:
            return None
        try:
            event = self._next_head() if self._body is None else self._next_body()
        except RemoteProtocolError as error:
            self._failed = True
            self._drop_all()
            return Malformed(error.status, error.reason)
        self.buffered = len(self._buffer) - self._position
        if not self.buffered:
            self._buffer = b""
            self._position = 0
            self.ready = self._body is not None and event is not None
        elif event is None:
            self.ready = False
        return event

    def leftover(self) -> bytes:
        """Hand over the bytes that are not read; for another protocol to go on with."""
        rest = bytes(self._buffer[self._position :])
        self._drop_all()
        return rest

    def _drop_all(self) -> None:
        self._buffer = b""
        self._position = self.buffered = 0
        self.ready = False

    def _next_head(self) -> Head | None:
        buffer = self._buffer
        # One empty line before a request is ignored (RFC 9112 section 2.2).
        if not self._blank_seen and buffer.startswith(b"\r\n", self._position):
            self._blank_seen = True
            self._position += 2
            self._line_start = -1
        start = self._position
        if start == len(buffer):
            return None
        looked_at = self._line_start >= 0
        end = buffer.find(_END, max(start, self._scanned - 3) if looked_at else start)
        if end < 0:
            self._check_lines(len(buffer))
            return None
        head = self._read_head(end)
        self._position = end + 4
        self._blank_seen = False
        self._line_start = self._fields = -1
        if head.length:
            self._body = ChunkDecoder() if head.length == CHUNKED else head.length
        return head

    def _read_head(self, end: int) -> Head:
        """Read the head that is complete but for the empty line at `end`."""
        config = self._config
        line, *lines = bytes(self._buffer[self._position : end]).split(b"\r\n")
        if (
            len(line) > config.max_request_line
            or end - self._position - len(line) > config.max_header_bytes + 2
            or len(lines) > config.max_header_fields
        ):
            self._check_lines(end + 2)
        try:
            return read_head(line, lines)
        except RemoteProtocolError:
            self._check_lines(end + 2)
            raise

    def _check_lines(self, until: int) -> None:
        """Find what is wrong first, by its place, however the bytes were cut.

        Raises:
            RemoteProtocolError: a limit is passed or a byte is not allowed.
        """
        if self._line_start < 0:
            self._line_start = self._scanned = self._position
        while True:
            limit = self._limit()
            end = self._buffer.find(
                b"\r\n", max(self._line_start, self._scanned - 1), until
            )
            if end < 0:
                # A CR at the end is the first half of a line end, as far as one knows.
                open_end = self._buffer[until - 1] == 0x0D and until > self._line_start
                self._check_line(until - 1 if open_end else until, limit)
                return
            self._check_line(end, limit)
            self._fields += 1
            if self._fields > self._config.max_header_fields:
                raise RemoteProtocolError("too many header fields", status=431)
            self._line_start = self._scanned = end + 2

    def _limit(self) -> int:
        """Return where the line that is looked at must have ended."""
        config = self._config
        if self._fields < 0:
            return self._position + config.max_request_line
        first = self._buffer.index(b"\r\n", self._position) + 2
        return first + config.max_header_bytes

    def _check_line(self, end: int, limit: int) -> None:
        if CONTROL.search(self._buffer, self._scanned, min(end, limit + 1)):
            raise RemoteProtocolError("a byte is not allowed in a head", status=400)
        if end > limit:
            if self._fields < 0:
                raise RemoteProtocolError("the request line is too long", status=414)
            raise RemoteProtocolError("the header block is too large", status=431)
        self._scanned = end

    def _next_body(self) -> BodyReceived | RequestCompleted | None:
        body = self._body
        if isinstance(body, ChunkDecoder):
            data, self._position = body.decode(self._buffer, self._position)
            if data:
                return BodyReceived(data)
            if not body.done:
                return None
        elif body:
            data = bytes(self._buffer[self._position : self._position + body])
            if not data:
                return None
            self._position += len(data)
            self._body = body - len(data)
            return BodyReceived(data)
        self._body = None
        return _COMPLETED
