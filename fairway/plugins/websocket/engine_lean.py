"""The frame engine of fairway: one pass over what was read (RFC 6455, 5).

A frame that arrived whole costs a few slices and its event; only what comes in pieces,
fragmented or compressed, is kept and put together in `incoming`.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairway.kit import RemoteProtocolError
from fairway.plugins.websocket.events import (
    BytesReceived,
    Failed,
    PingReceived,
    PongReceived,
    TextReceived,
    WireEvent,
)
from fairway.plugins.websocket.frames import BINARY, CLOSE, PING, PONG, TEXT
from fairway.plugins.websocket.incoming import (
    PROTOCOL_ERROR,
    IncomingMessage,
    not_utf8,
    read_close,
)

__all__ = ["LeanEngine"]

_FIN, _RSV, _RSV1, _OPCODE, _IS_CONTROL = 0x80, 0x70, 0x40, 0x0F, 0x08
_MASKED = 0x80
_HEAD = 6
"""Bytes in front of a short frame's content."""
_LONGEST_SHORT = 125
"""What seven bits can say of a length; 126 and 127 announce two or eight bytes."""
_MAX_LENGTH = (1 << 63) - 1
_WHOLE_TEXT, _WHOLE_BINARY, _CLOSE = _FIN | TEXT, _FIN | BINARY, _FIN | CLOSE

# What the first byte of a frame may be: outside a message, the same where messages may
# be compressed, and inside one.
_CONTROL = frozenset({_CLOSE, _FIN | PING, _FIN | PONG})
_PLAIN = _CONTROL | {TEXT, BINARY, _WHOLE_TEXT, _WHOLE_BINARY}
_DEFLATED = _PLAIN | {
    _RSV1 | first for first in (TEXT, BINARY, _WHOLE_TEXT, _WHOLE_BINARY)
}
_INSIDE = _CONTROL | {0, _FIN}


class LeanEngine:
    """Reads the frames of one connection; an `Engine`.

    Args:
        max_message: bytes of the longest message.
        deflate: whether permessage-deflate is in use.
    """

    __slots__ = (
        "_allowed",
        "_brief",
        "_ended",
        "_final",
        "_left",
        "_limit",
        "_mask",
        "_message",
        "_outside",
        "_rest",
    )

    def __init__(self, max_message: int, deflate: bool) -> None:
        self._limit = max_message
        self._brief = min(max_message, _LONGEST_SHORT)
        self._outside = _DEFLATED if deflate else _PLAIN
        self._allowed = self._outside
        self._ended = False
        # A header, or a frame of control, that is not complete.
        self._rest = b""
        # The message that is not complete, and of its frame: what is left to come.
        self._message: IncomingMessage | None = None
        self._left = 0
        self._mask = b""
        self._final = True

    def received(self, data: bytes) -> Sequence[WireEvent]:
        """Read bytes."""
        length = len(data) - _HEAD
        if (
            0 <= length <= self._brief
            and data[0] == _WHOLE_TEXT
            and data[1] == _MASKED + length
            and self._allowed is self._outside
            and not (self._rest or self._ended)
        ):
            # One short text and no more, as nearly always: the way below says the same.
            try:
                return (TextReceived(unmask(data[_HEAD:], data[2:_HEAD]).decode()),)
            except UnicodeDecodeError:
                return self._fail(not_utf8())
        events: list[WireEvent] = []
        if self._ended:
            return events
        try:
            self._read(data, events)
        except RemoteProtocolError as error:
            events += self._fail(error)
        return events

    def _fail(self, error: RemoteProtocolError) -> Sequence[WireEvent]:
        self._end()
        return (Failed(error.status, error.reason),)

    def _read(self, data: bytes, events: list[WireEvent]) -> None:
        if self._rest:
            data, self._rest = self._rest + data, b""
        position = self._add(data, 0, events) if self._left else 0
        size = len(data)
        while size - position >= 2:
            first, second = data[position], data[position + 1]
            if first not in self._allowed or second < _MASKED:
                raise self._violation(first, second)
            length = second - _MASKED
            start = position + 6
            if length > _LONGEST_SHORT:
                start += 2 if length == 126 else 8
            if first & _IS_CONTROL:
                _check_control(first, length)
            if start > size:
                break
            if length > _LONGEST_SHORT:
                length = _long_length(data[position + 2 : start - 4])
            mask = data[start - 4 : start]
            end = start + length
            plain = first == _WHOLE_TEXT or first == _WHOLE_BINARY
            if plain and end <= size and length <= self._limit:
                events.append(_message(first, unmask(data[start:end], mask)))
            elif not first & _IS_CONTROL:
                self._begin(first, length, mask)
                end = self._add(data, start, events)
            elif end <= size:
                events.append(_control(first, unmask(data[start:end], mask)))
                if first == _CLOSE:
                    self._end()
                    return
            else:
                break
            position = end
        self._rest = data[position:]

    def _begin(self, first: int, length: int, mask: bytes) -> None:
        """Begin a frame of data whose content is kept until its message is complete."""
        if self._message is None:
            self._message = IncomingMessage(
                self._limit,
                text=first & _OPCODE == TEXT,
                inflated=first & _RSV1 != 0,
            )
            self._allowed = _INSIDE
        self._message.begin_frame(length)
        self._left, self._mask, self._final = length, mask, first >= _FIN

    def _add(self, data: bytes, start: int, events: list[WireEvent]) -> int:
        """Take what there is of the frame's content; return where it ends."""
        message = self._message
        assert message is not None
        piece = data[start : start + self._left]
        if piece:
            message.add(unmask(piece, self._mask))
            self._left -= len(piece)
            turn = len(piece) % 4
            self._mask = self._mask[turn:] + self._mask[:turn]
        if not self._left and self._final:
            events.append(message.finish())
            self._message, self._allowed = None, self._outside
        return start + len(piece)

    def _end(self) -> None:
        self._ended = True
        self._rest = b""
        self._message = None

    def _violation(self, first: int, second: int) -> RemoteProtocolError:
        """Say what is wrong with the first two bytes of a frame."""
        if first & _RSV and first & ~_RSV in self._allowed:
            return _broken("a reserved bit is set")
        if first | _FIN in _CONTROL:
            return _broken("a control frame in fragments")
        if first & _OPCODE not in (0, TEXT, BINARY, CLOSE, PING, PONG):
            return _broken("a reserved opcode")
        if second < _MASKED:
            return _broken("a frame without mask")
        if self._message is None:
            return _broken("no message to go on with")
        return _broken("a message inside another")


def unmask(payload: bytes, mask: bytes) -> bytes:
    """Take the mask off, or put it on."""
    size = len(payload)
    # Two long numbers: one operation of the interpreter, whatever the size.
    key = (mask * ((size + 3) // 4))[:size]
    number = int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")
    return number.to_bytes(size, "little")


def _message(first: int, payload: bytes) -> WireEvent:
    if first == _WHOLE_BINARY:
        return BytesReceived(payload)
    try:
        return TextReceived(payload.decode())
    except UnicodeDecodeError:
        raise not_utf8() from None


def _control(first: int, payload: bytes) -> WireEvent:
    if first == _FIN | PING:
        return PingReceived(payload)
    if first == _FIN | PONG:
        return PongReceived(payload)
    code = int.from_bytes(payload[:2]) if payload else None
    return read_close(code, payload[2:])


def _check_control(first: int, length: int) -> None:
    if length > _LONGEST_SHORT:
        raise _broken("a control frame above 125 bytes")
    if first == _CLOSE and length == 1:
        raise _broken("half a close code")


def _long_length(raw: bytes) -> int:
    length = int.from_bytes(raw)
    shortest = _LONGEST_SHORT + 1 if len(raw) == 2 else 1 << 16
    if not shortest <= length <= _MAX_LENGTH:
        raise _broken("a length that is not written as briefly as it could be")
    return length


def _broken(reason: str) -> RemoteProtocolError:
    return RemoteProtocolError(reason, status=PROTOCOL_ERROR)
