"""Reads what a consumer sent to the reply channel of a request."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import Struct

from fairway.kit import Content, Headers, LocalProtocolError
from fairway.plugins.http.answer import BINARY, TEXT, plain_text

__all__ = ["Reply", "read_reply"]

T = TypeVar("T")

_KEYS = frozenset(
    {
        "abort",
        "accept",
        "bytes",
        "close",
        "content",
        "credit_channel",
        "headers",
        "more_content",
        "pull_body",
        "status",
        "text",
    }
)
_DATA = ("content", "bytes", "text")
# Those of nearly all replies.
_PLAIN = frozenset({"content", "headers", "more_content", "status"})


class Reply(Struct, frozen=True):
    """One reply, with all shorthands written out."""

    status: int | None
    """None when it says nothing about the head of the answer."""
    headers: Headers
    data: bytes | None
    """None when it says nothing about the body."""
    more: bool
    """Whether more of the body follows."""
    is_answer: bool = True
    """Whether it is a part of the answer: says anything about its head or body."""
    close: int = 0
    """The status that ends a request which got no answer, 0 for not to end it."""
    abort: bool = False
    credit_channel: str = ""
    pull: int = 0


def read_reply(content: Content, *, begun: bool = False) -> Reply:
    """Read a reply.

    Args:
        begun: whether the head of the answer is out, so that none is made up.

    Raises:
        LocalProtocolError: it says what http cannot do.
    """
    data, headers = content.get("content"), content.get("headers", [])
    if type(data) is bytes and type(headers) is list and _PLAIN.issuperset(content):
        more = content.get("more_content") is True
        return Reply(content.get("status"), headers, data, more)
    if not _KEYS.issuperset(content):
        unknown = ", ".join(sorted(content.keys() - _KEYS))
        raise LocalProtocolError(f"http does not understand the reply key {unknown}")
    status = content.get("status")
    headers = _headers(content, begun)
    data = _data(content)
    if content.get("accept") is False and status is None:
        status = 403
        if data is None:
            headers, data = plain_text(403)
    close = content.get("close")
    return Reply(
        status,
        headers,
        data,
        content.get("more_content") is True and not close,
        status is not None or data is not None,
        _close_status(close),
        content.get("abort") is True,
        _typed(content, "credit_channel", ""),
        _typed(content, "pull_body", 0),
    )


def _data(content: Content) -> bytes | None:
    data: bytes | None = None
    for key in _DATA:
        if key in content:
            if data is not None:
                raise LocalProtocolError("a reply has one of content, bytes and text")
            data = (
                _typed(content, key, "").encode()
                if key == "text"
                else _typed(content, key, b"")
            )
    return data


def _headers(content: Content, begun: bool) -> Headers:
    """Return the fields of the answer, with the type of the content as its key says."""
    given = content.get("headers")
    if given is not None and not isinstance(given, list):
        raise LocalProtocolError("headers must be a list of [name, value]")
    headers = given or []
    if begun or "content" in content or (given is None and "status" in content):
        return headers
    default = TEXT if "text" in content else BINARY if "bytes" in content else None
    if default is None or any(name.lower() == b"content-type" for name, _ in headers):
        return headers
    return [default, *headers]


def _close_status(close: Any) -> int:
    """Return what to answer when a request is closed that got no answer."""
    if not close:
        return 0
    return close if type(close) is int and 400 <= close <= 599 else 204


def _typed(content: Content, key: str, default: T) -> T:
    value = content.get(key)
    if value is None:
        return default
    if type(value) is not type(default):
        expected = type(default).__name__
        raise LocalProtocolError(
            f"{key} must be {expected}, not {type(value).__name__}"
        )
    return value
