"""What a consumer's reply asks of a WebSocket, checked before anything acts."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import Struct

from fairway.kit import Content, LocalProtocolError
from fairway.plugins.websocket.events import Close, SendBytes, SendText
from fairway.plugins.websocket.frames import (
    BINARY,
    MAX_REASON_BYTES,
    TEXT,
    Frames,
    is_close_code,
)

__all__ = ["Reply", "plain_message", "read_reply"]

T = TypeVar("T")


class Reply(Struct, frozen=True):
    """A reply in order of its effects: accept, message, close."""

    accept: bool | None
    subprotocol: str | None
    headers: list[Any] | None
    message: SendText | SendBytes | None
    close: Close | None
    status: int | None
    """Of a refusal, as are `body` and, then, `headers`."""
    body: bytes | None


def plain_message(content: Content) -> Frames | None:
    """Return the message that is all of a reply, None when there is more to it.

    What every open connection does with such a reply is the same, so that a frame may
    be built once for all of them.
    """
    if len(content) == 1:
        text, data = content.get("text"), content.get("bytes")
        if isinstance(text, str):
            return Frames(TEXT, text.encode())
        if isinstance(data, bytes):
            return Frames(BINARY, data)
    return None


def read_reply(content: Content) -> Reply:
    """Read a reply.

    A key whose value is None counts as absent. Keys that no WebSocket knows are not
    looked at: the host counts them, and what is beside them is carried.

    Raises:
        LocalProtocolError: a WebSocket cannot carry it.
    """
    given = {key: value for key, value in content.items() if value is not None}
    accept, message, close = _get(given, "accept", bool), _message(given), _close(given)
    if accept is False and message is not None:
        raise LocalProtocolError("a reply cannot refuse and send a message")
    if "reason" in given and close is None:
        raise LocalProtocolError("'reason' goes with 'close'")
    refuses = accept is False or close is not None
    for key in ("status", "content"):
        if key in given and not refuses:
            raise LocalProtocolError(f"{key!r} goes with 'accept': False or 'close'")
    return Reply(
        accept=accept,
        subprotocol=_get(given, "subprotocol", str),
        headers=_get(given, "headers", list),
        message=message,
        close=close,
        status=_status(given),
        body=_body(given),
    )


def _message(given: Content) -> SendText | SendBytes | None:
    text, data = _get(given, "text", str), _get(given, "bytes", bytes)
    if text is not None and data is not None:
        raise LocalProtocolError("a message is 'text' or 'bytes', not both")
    if text is not None:
        return SendText(text)
    return None if data is None else SendBytes(data)


def _close(given: Content) -> Close | None:
    value = given.get("close", False)
    if value is False:
        return None
    if not isinstance(value, int):
        raise LocalProtocolError("'close' must be True or a close code")
    code = 1000 if value is True else value
    if not is_close_code(code):
        raise LocalProtocolError(
            f"{code} is no close code to send (1000 to 1003, 1007 to 1014 and "
            "3000 to 4999 are)"
        )
    reason = _get(given, "reason", str) or ""
    if len(reason.encode()) > MAX_REASON_BYTES:
        raise LocalProtocolError(f"'reason' is above {MAX_REASON_BYTES} bytes of UTF-8")
    return Close(code, reason)


def _status(given: Content) -> int | None:
    status = _get(given, "status", int)
    if status is not None and not 200 <= status <= 599:
        raise LocalProtocolError(f"{status} is no HTTP status of a refusal")
    return status


def _body(given: Content) -> bytes | None:
    body = given.get("content")
    if isinstance(body, str):
        return body.encode()
    return _get(given, "content", bytes)


def _get(given: Content, key: str, kind: type[T]) -> T | None:
    value = given.get(key)
    # A bool is an int, but no status.
    if value is not None and (type(value) is not kind):
        raise LocalProtocolError(
            f"{key!r} must be {kind.__name__}, not {type(value).__name__}"
        )
    return value
