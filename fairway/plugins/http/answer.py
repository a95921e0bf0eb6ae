"""The framing of one response (RFC 9112 section 6), and the check of what goes into it.

What consumers and mounts hand over is input like any other: a header that would split
the response is refused, never written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from msgspec import Struct

from fairway.kit import LocalProtocolError
from fairway.plugins.http.remembered import Remembered

__all__ = ["Answer", "phrase", "plain_text"]

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES = {
    status: f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n".encode("ascii")
    for status in range(100, 600)
}
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): [\t\x20-\x7e\x80-\xff]*\r\n")
_FRAMING = frozenset(
    {
        b"connection",
        b"content-length",
        b"date",
        b"keep-alive",
        b"server",
        b"set-cookie",
        b"trailer",
        b"transfer-encoding",
    }
)
_LAST_CHUNK = b"0\r\n\r\n"


def phrase(status: int) -> str:
    """Return a status with its reason phrase, such as `404 Not Found`."""
    return f"{status} {_PHRASES.get(status, 'Unknown')}"


def plain_text(status: int) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return headers and body of an answer that says its status and nothing else."""
    return [TEXT], f"{phrase(status)}\n".encode("ascii")


TEXT = (b"Content-Type", b"text/plain; charset=utf-8")
BINARY = (b"Content-Type", b"application/octet-stream")


class Answer(Struct, eq=False, gc=False):
    """One response: head first, then parts, then the end."""

    version: str = "1.1"
    """Of the request."""
    bodiless: bool = False
    """Whether no body is written, whatever it is said to be."""
    server: bytes = b""
    """The field `Server` with its line end, empty for none."""
    close: bool = True
    """Whether the connection ends with this response; final after `begin`."""
    status: int = 0
    """What was answered, 0 before the head."""
    _chunked: bool = False
    # Bytes that the body must still have, None when nobody said.
    _left: int | None = None

    def begin(
        self,
        status: int,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes | None,
        now: float,
    ) -> bytes:
        """Write the head, and the body with it when that is complete.

        Args:
            body: None when parts follow.
            now: seconds since the epoch.

        Raises:
            LocalProtocolError: the status or a header is not allowed; nothing began.
        """
        if self.status:
            raise LocalProtocolError("the answer has a status already")
        if type(status) is not int or not 200 <= status <= 599:
            raise LocalProtocolError(f"{status!r} is no status of an answer")
        lines = [_STATUS_LINES[status]]
        framing = _add_fields(lines, headers)
        if b"date" not in framing:
            lines.append(_date_line(int(now)))
        if self.server and b"server" not in framing:
            lines.append(self.server)
        close = self.close
        if b"connection" in framing:
            close = close or b"close" in framing[b"connection"].lower()
        bodiless = self.bodiless or status in (204, 304)
        if body is None or framing or bodiless:
            length = _length_of(status, framing, body, bodiless=bodiless)
        else:
            length = len(body)
        chunked = False
        if length is not None:
            lines.append(b"Content-Length: %d\r\n" % length)
        elif body is None and not bodiless:
            chunked = self.version == "1.1"
            if chunked:
                lines.append(b"Transfer-Encoding: chunked\r\n")
            close = close or not chunked
        if close:
            lines.append(b"Connection: close\r\n")
        elif self.version == "1.0":
            lines.append(b"Connection: keep-alive\r\n")
        self.status, self.close = status, close
        if bodiless:
            self.bodiless = True
        elif body is None:
            self._chunked, self._left = chunked, length
        lines.append(b"\r\n")
        if body and not bodiless:
            lines.append(body)
        return b"".join(lines)

    def switch(self, upgrade: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Write the head that ends HTTP on this connection (RFC 9110 section 15.2.2).

        Raises:
            LocalProtocolError: a header is not allowed, or the answer began already.
        """
        if self.status:
            raise LocalProtocolError("the answer has a status already")
        start = b"Connection: Upgrade\r\nUpgrade: %b\r\n" % upgrade
        lines = [_STATUS_LINES[101], start]
        _add_fields(lines, headers)
        lines.append(b"\r\n")
        self.status = 101
        return b"".join(lines)

    def part(self, data: bytes) -> bytes:
        """Write a part of the body.

        Raises:
            LocalProtocolError: it is more than Content-Length says.
        """
        if not data or self.bodiless:
            return b""
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise LocalProtocolError("the content is longer than Content-Length")
        if self._chunked:
            return b"%x\r\n%b\r\n" % (len(data), data)
        return data

    def end(self) -> bytes:
        """Write the end of the body.

        Raises:
            LocalProtocolError: Content-Length says that there is more.
        """
        if self._left:
            raise LocalProtocolError("the content is shorter than Content-Length")
        return _LAST_CHUNK if self._chunked else b""


def _add_fields(
    lines: list[bytes], headers: Iterable[tuple[bytes, bytes]]
) -> dict[bytes, bytes]:
    """Write header fields, checked; return those that http itself decides about.

    Of these only `Date` and `Server` are written.
    """
    framing: dict[bytes, bytes] = {}
    for pair in headers:
        try:
            name, value = pair
            line = b"%b: %b\r\n" % (name, value)
        except (TypeError, ValueError):
            raise LocalProtocolError("a header is no pair of bytes") from None
        kind = _kind_of(line)
        if not kind or _is_written(kind, value, framing):
            lines.append(line)
    return framing


def _read_kind(line: bytes) -> bytes:
    match = _LINE.fullmatch(line)
    if match is None:
        raise LocalProtocolError("a header holds a byte that is not allowed")
    name = match[1].lower()
    return name if name in _FRAMING else b""


# A site sends the same few lines again and again; those that are secret are forgotten.
_kind_of = Remembered(_read_kind, lambda kind: kind == b"set-cookie").__getitem__


def _is_written(name: bytes, value: bytes, framing: dict[bytes, bytes]) -> bool:
    """Take note of a field that http itself decides about; True to write it, too."""
    match name:
        case b"set-cookie":
            return True
        case b"date" | b"server":
            framing[name] = value
            return True
        case b"connection":
            framing[name] = framing.get(name, b"") + value
        case b"content-length":
            if name in framing or not value.isdigit() or len(value) > 18:
                raise LocalProtocolError("Content-Length is no single number")
            framing[name] = value
        case _:
            raise LocalProtocolError(f"{name.decode()} is written by http itself")
    return False


def _length_of(
    status: int, framing: dict[bytes, bytes], body: bytes | None, *, bodiless: bool
) -> int | None:
    """Return what Content-Length says, None to leave it out."""
    given = framing.get(b"content-length")
    length = None if given is None else int(given)
    if status == 204:
        return None
    if body is None:
        return length
    if bodiless:
        return len(body) if body and length is None and status != 304 else length
    if length is not None and length != len(body):
        raise LocalProtocolError(
            f"Content-Length is {length}, the content has {len(body)} bytes"
        )
    return len(body)


@lru_cache(maxsize=4)
def _date_line(second: int) -> bytes:
    return f"Date: {formatdate(second, usegmt=True)}\r\n".encode("ascii")
