"""The JSON of requests and answers; `docs/reference/longpoll.md` describes it.

A message is a string, or `{"bytes": "<base64>"}`. JSON escapes line ends and NUL, so a
message is one line of a stream of events whatever it holds.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct, field

from fairway.kit import Content, RemoteProtocolError, RequestHead

__all__ = [
    "BEAT",
    "STREAM",
    "Bytes",
    "Close",
    "Post",
    "answer",
    "close_event",
    "event",
    "message",
    "poll_answer",
    "read_after",
    "read_post",
    "read_token",
    "wants_stream",
]

STREAM = b"text/event-stream"
BEAT = b":\n\n"
"""A comment: a sign of life (HTML Standard, 9.2.6)."""
_MAX_QUERY_FIELDS = 20
_AFTER = re.compile(rb"after=([0-9]+)")
_MAX_REASON_BYTES = 123


class Bytes(Struct, frozen=True, forbid_unknown_fields=True):
    """A message of bytes; base64 in JSON."""

    data: bytes = field(name="bytes")


class Close(Struct, frozen=True, forbid_unknown_fields=True):
    """The end of a conversation; the codes are those of WebSocket."""

    code: int = 1000
    reason: str = ""


class Post(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends."""

    messages: list[str | Bytes] = []
    first: int | None = None
    """The client's own number of the first message, counted from 1; None is never
    compared with what came before."""
    close: Close | None = None


_decode_post = msgspec.json.Decoder(Post).decode
_encode = msgspec.json.encode


def read_post(body: bytes, max_messages: int) -> Post:
    """Read the body of a POST; an empty one says nothing.

    Raises:
        RemoteProtocolError: with 400 or 413.
    """
    try:
        post = _decode_post(body or b"{}")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise RemoteProtocolError("the body is no such JSON", status=400) from None
    if len(post.messages) > max_messages:
        raise RemoteProtocolError("too many messages in one POST", status=413)
    if post.first is not None and post.first < 1:
        raise RemoteProtocolError("messages count from 1", status=400)
    if post.close is not None:
        code, reason = post.close.code, post.close.reason
        if code != 1000 and not 3000 <= code < 5000:
            raise RemoteProtocolError("invalid close code", status=400)
        if len(reason.encode()) > _MAX_REASON_BYTES:
            raise RemoteProtocolError("the reason is too long", status=400)
    return post


def read_token(head: RequestHead) -> str:
    """Return the token of a request, empty for none."""
    field = head.header(b"fairway-token")
    if field is None:
        return _query(head, "token") or ""
    return field.decode("latin-1")


def read_after(head: RequestHead) -> int | None:
    """Return the number of the last message that the client has, None if not said.

    Raises:
        RemoteProtocolError: with 400; it is no number.
    """
    match = _AFTER.fullmatch(head.query_string)
    # As nearly always; else whatever a query may hold.
    given = match[1].decode("ascii") if match else _query(head, "after")
    # A browser that comes back says it by the field, its address is an old one.
    if (field := head.header(b"last-event-id")) is not None:
        given = field.decode("latin-1")
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 16):
        raise RemoteProtocolError("'after' must be a number", status=400)
    return int(given)


def wants_stream(head: RequestHead) -> bool:
    """Return whether a GET asks for a stream of events."""
    accepted = head.header(b"accept")
    if accepted is None:
        return False
    kinds = accepted.lower().split(b",")
    return any(kind.partition(b";")[0].strip() == STREAM for kind in kinds)


def message(content: Content) -> bytes:
    """Return a text or bytes reply as JSON."""
    text = content.get("text")
    return _encode(Bytes(content["bytes"]) if text is None else text)


def answer(**fields: Any) -> bytes:
    """Return the body of an answer."""
    return _encode(fields)


def poll_answer(first: int, messages: list[bytes], close: Close | None) -> bytes:
    """Return the answer to a waiting request; messages are JSON already."""
    end = b"}" if close is None else b',"close":%b}' % _encode(close)
    joined = b",".join(messages)
    if not messages:
        return b'{"messages":[]' + end
    return b'{"first":%d,"messages":[%b]' % (first, joined) + end


def event(number: int, json: bytes) -> bytes:
    """Return one event of a stream."""
    return b"id: %d\ndata: %b\n\n" % (number, json)


def close_event(close: Close) -> bytes:
    """Return the last event of a stream."""
    return b"event: close\ndata: %b\n\n" % _encode(close)


def _query(head: RequestHead, name: str) -> str | None:
    try:
        fields = parse_qs(
            head.query_string.decode("latin-1"), max_num_fields=_MAX_QUERY_FIELDS
        )
    except ValueError:
        return None
    return fields[name][-1] if name in fields else None
