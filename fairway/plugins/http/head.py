"""Reads the head of one request, complete from its first byte to the empty line.

The grammar is that of RFC 9112 sections 3 and 5 without what it allows for the sake of
old software: one spelling of the request line, `Host` once (RFC 9110 section 7.2), one
single way to say how long a body is.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from fairway.kit import Headers, RemoteProtocolError
from fairway.plugins.http.fields import Fields, options, read_fields
from fairway.plugins.http.remembered import Remembered

__all__ = ["CHUNKED", "Head", "read_head"]

CHUNKED = -1
"""`Head.length` of a body whose end only its last chunk tells."""


class Head(Struct, frozen=True):
    """The head of a request, as far as http itself has to understand it."""

    method: str
    raw_path: bytes
    path: str
    """Percent-decoded; what is not UTF-8 is replaced by U+FFFD."""
    query_string: bytes
    headers: Headers
    """Names in lower case; those with an underscore are left out."""
    http_version: str
    """`1.0` or `1.1`."""
    length: int = 0
    """Bytes of the body, or `CHUNKED`."""
    keep_alive: bool = True
    """Whether the client allows another request on the connection."""
    expects_continue: bool = False
    upgrade: str = ""
    """`websocket` when that is asked for, else empty."""
    dropped: int = 0
    """Header fields left out because their names have an underscore: application
    interfaces cannot tell it from a hyphen."""


# What nearly all requests begin with (RFC 9112 section 3.2.1), and what any may.
_ORIGIN_FORM = re.compile(
    rb"([A-Z-]+) (/[!\"$->@-~]*)(?:\?([!\"$-~]*))? HTTP/(1\.[01])"
)
_REQUEST_LINE = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/(\d\.\d)"
)
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*)(/[^?]*)?(?:\?(.*))?")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[([0-9A-Fa-f:.]+)\])(?::([0-9]{1,5}))?")
_VERSIONS = {b"1.1": "1.1", b"1.0": "1.0"}
# Those that llhttp knows, and so Node and what stands on it; CONNECT is for proxies.
_METHODS = {
    name.encode("ascii"): name
    for name in (
        "GET HEAD POST PUT DELETE OPTIONS TRACE PATCH QUERY ACL BIND CHECKOUT COPY "
        "LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY PROPFIND "
        "PROPPATCH PURGE REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK UNLOCK "
        "UNSUBSCRIBE"
    ).split()
}


def read_head(line: bytes, lines: Sequence[bytes]) -> Head:
    """Read a request's head.

    Args:
        line: the request line, without its end.
        lines: those of the header fields.

    Raises:
        RemoteProtocolError: it is not one that may be answered; `status` says how to.
    """
    authority = None
    match = _ORIGIN_FORM.fullmatch(line)
    if match is not None:
        spelt, raw_path, query_string, digits = match.groups(b"")
    else:
        spelt, authority, raw_path, query_string, digits = _other_form(line)
    method = _METHODS.get(spelt)
    if method is None:
        raise RemoteProtocolError("this method is not served", status=501)
    version = _VERSIONS[digits]
    headers, fields, dropped = read_fields(lines)
    host = fields.get(b"host")
    if host is None or authority is not None or not _is_host(host):
        _check_host(host, authority, version)
    length = 0
    if b"content-length" in fields or b"transfer-encoding" in fields:
        length = _length(fields, version)
    keep_alive, upgrade = version == "1.1", ""
    if b"connection" in fields:
        keep_alive, upgrade = _connection(fields, version, length)
    return Head(
        method,
        raw_path,
        _decoded(raw_path),
        query_string,
        headers,
        version,
        length,
        keep_alive,
        b"expect" in fields and _expects_continue(fields, version, length),
        upgrade,
        dropped,
    )


def _other_form(line: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Return method, authority, path, query string and version of a line that is not
    in origin-form."""
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise RemoteProtocolError("malformed request line", status=400)
    method, target, version = match.groups()
    if version not in _VERSIONS:
        raise RemoteProtocolError("this HTTP version is not spoken", status=505)
    if method not in _METHODS:
        raise RemoteProtocolError("this method is not served", status=501)
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or b"#" in target:
        raise RemoteProtocolError("this form of target is not served", status=400)
    authority, path, query_string = absolute.groups(b"")
    return method, authority, path or b"/", query_string, version


def _check_host(host: bytes | None, authority: bytes | None, version: str) -> None:
    if not (version == "1.0" if host is None else _is_host(host)):
        raise RemoteProtocolError("Host must be there once and be valid", status=400)
    if authority is not None and not (
        _is_host(authority) and (host is None or authority.lower() == host.lower())
    ):
        raise RemoteProtocolError("target and Host must agree", status=400)


def _read_host(value: bytes) -> bool:
    match = _HOST.fullmatch(value)
    if match is None:
        return False
    if match[1] is not None:
        try:
            ipaddress.IPv6Address(match[1].decode("ascii"))
        except ValueError:
            return False
    return match[2] is None or int(match[2]) < 65_536


_is_host = Remembered(_read_host).__getitem__


def _length(fields: Fields, version: str) -> int:
    """Return how long the body is; two answers to that are how smuggling works."""
    length = fields.get(b"content-length")
    coding = fields.get(b"transfer-encoding")
    if coding is None:
        if length is None or not length.isdigit() or len(length) > 18:
            raise RemoteProtocolError("malformed Content-Length", status=400)
        return int(length)
    if length is not None or version == "1.0":
        raise RemoteProtocolError("the body's length is ambiguous", status=400)
    codings = options(coding)
    if codings == (b"chunked",):
        return CHUNKED
    # Without it at the end, and only there, nobody knows where the body ends.
    if codings[-1] != b"chunked" or codings.count(b"chunked") > 1:
        raise RemoteProtocolError("the body's length is ambiguous", status=400)
    raise RemoteProtocolError("this transfer coding is unknown", status=501)


def _connection(fields: Fields, version: str, length: int) -> tuple[bool, str]:
    """Return whether the client allows another request, and the upgrade it asks for."""
    wanted = options(fields[b"connection"])
    keep_alive = b"close" not in wanted and (
        version == "1.1" or b"keep-alive" in wanted
    )
    if (
        b"upgrade" in wanted
        and version == "1.1"
        # A body before the switch would have two meanings (RFC 9110 section 7.8).
        and length == 0
        and options(fields.get(b"upgrade", b"")) == (b"websocket",)
    ):
        return keep_alive, "websocket"
    return keep_alive, ""


def _expects_continue(fields: Fields, version: str, length: int) -> bool:
    if version != "1.1":
        return False
    if options(fields[b"expect"]) != (b"100-continue",):
        raise RemoteProtocolError("this expectation is unknown", status=417)
    return length != 0


def _decoded(raw_path: bytes) -> str:
    if b"%" not in raw_path:
        return raw_path.decode("ascii")
    return unquote_to_bytes(raw_path).decode("utf-8", "replace")
