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

from fairway.kit import LocalProtocolError
from fairway.plugins.http.head import Head

__all__ = ["Answer", "phrase", "plain_text"]

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES = {
    status: b"HTTP/1.1 %d %b\r\n" % (status, name.encode("ascii"))
    for status, name in _PHRASES.items()
}
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL_BYTES = bytes({*range(32), 0x7F} - set(b"\t\r\n"))
_FRAMING = frozenset(
    {
        b"connection",
        b"content-length",
        b"date",
        b"keep-alive",
        b"server",
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


class Answer:
    """One response: head first, then parts, then the end.

    Args:
        head: of the request it answers; None when that could not be read.
        server: value of the header `Server`, empty for none.
    """

    __slots__ = (
        "_bodiless",
        "_chunked",
        "_left",
        "_server",
        "_version",
        "close",
        "status",
    )

    def __init__(self, head: Head | None, server: bytes) -> None:
        self.status = 0
        """What was answered, 0 before the head."""
        self.close = head is None or not head.keep_alive
        """Whether the connection ends with this response; final after `begin`."""
        self._version = "1.1" if head is None else head.http_version
        self._bodiless = head is not None and head.method == "HEAD"
        self._server = server
        self._chunked = False
        # Bytes that the body must still have, None when nobody said.
        self._left: int | None = None

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
        fields = _Fields(headers)
        close = self.close or fields.close
        bodiless = self._bodiless or status in (204, 304)
        lines = [status_line(status), fields.block]
        if not fields.has_date:
            lines.append(_date_line(int(now)))
        if self._server and not fields.has_server:
            lines.append(b"Server: %b\r\n" % self._server)
        length = fields.length
        if body is not None and not bodiless:
            if length is not None and length != len(body):
                raise LocalProtocolError(
                    f"Content-Length is {length}, the content has {len(body)} bytes"
                )
            length = len(body)
        elif body and length is None and status != 304:
            length = len(body)
        chunked = False
        if length is not None and status != 204:
            lines.append(b"Content-Length: %d\r\n" % length)
        elif body is None and not bodiless:
            chunked = self._version == "1.1"
            if chunked:
                lines.append(b"Transfer-Encoding: chunked\r\n")
            close = close or not chunked
        if close:
            lines.append(b"Connection: close\r\n")
        elif self._version == "1.0":
            lines.append(b"Connection: keep-alive\r\n")
        self.status, self.close, self._bodiless = status, close, bodiless
        self._chunked = chunked
        self._left = length if body is None and not bodiless else None
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
        block = _Fields(headers).block
        self.status = 101
        start = b"%bConnection: Upgrade\r\nUpgrade: %b\r\n" % (
            status_line(101),
            upgrade,
        )
        return b"%b%b\r\n" % (start, block)

    def part(self, data: bytes) -> bytes:
        """Write a part of the body.

        Raises:
            LocalProtocolError: it is more than Content-Length says.
        """
        if not data or self._bodiless:
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


class _Fields:
    """Header fields of an answer, checked; those that are framing are taken out."""

    __slots__ = ("block", "close", "has_date", "has_server", "length")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        lines: list[bytes] = []
        self.close = False
        self.has_date = False
        self.has_server = False
        self.length: int | None = None
        for pair in headers:
            try:
                name, value = pair
                line = b"%b: %b\r\n" % (name, value)
            except (TypeError, ValueError):
                raise LocalProtocolError("a header is no pair of bytes") from None
            lower = _lower_token(name)
            if lower in _FRAMING and not self._framing(lower, value):
                continue
            lines.append(line)
        self.block = block = b"".join(lines)
        if not len(lines) == block.count(b"\n") == block.count(b"\r") or len(
            block.translate(None, _CONTROL_BYTES)
        ) != len(block):
            raise LocalProtocolError("a header value holds a control byte")

    def _framing(self, name: bytes, value: bytes) -> bool:
        """Take a header that http itself decides about; True when it is written too."""
        match name:
            case b"date":
                self.has_date = True
                return True
            case b"server":
                self.has_server = True
                return True
            case b"connection":
                self.close = self.close or b"close" in value.lower()
            case b"content-length":
                if self.length is not None or not value.isdigit() or len(value) > 18:
                    raise LocalProtocolError("Content-Length is no single number")
                self.length = int(value)
            case _:
                raise LocalProtocolError(f"{name.decode()} is written by http itself")
        return False


def status_line(status: int) -> bytes:
    """Return the first line of an answer."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


# A site uses a few dozen names.
@lru_cache(maxsize=1_024)
def _lower_token(name: bytes) -> bytes:
    if not _TOKEN.fullmatch(name):
        raise LocalProtocolError("a header name holds a byte that is not allowed")
    return name.lower()


@lru_cache(maxsize=4)
def _date_line(second: int) -> bytes:
    return f"Date: {formatdate(second, usegmt=True)}\r\n".encode("ascii")
