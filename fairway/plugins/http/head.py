"""Reads the head of one request, complete from its first byte to the empty line.

llhttp (httptools) knows the grammar of RFC 9112 sections 3 and 5; what it takes in
spite of it, and what requests need besides, is checked here: one spelling of the
request line, `Host` (RFC 9110 section 7.2), one single way to say how long a body is.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import httptools
from msgspec import Struct

from fairway.kit import Headers, RemoteProtocolError

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


_REQUEST_LINE = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/(\d\.\d)\r\n"
)
_VERSIONS = {b"1.1": "1.1", b"1.0": "1.0"}
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*)(/[^?]*)?(?:\?(.*))?")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[([0-9A-Fa-f:.]+)\])(?::([0-9]{1,5}))?")
_INTERESTING = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"transfer-encoding",
        b"upgrade",
    }
)


def read_head(block: bytes) -> Head:
    """Read a request's head.

    Args:
        block: from the request line to the empty line, with nothing after it, without
            control bytes but tabs and complete line ends.

    Raises:
        RemoteProtocolError: it is not one that may be answered; `status` says how to.
    """
    # llhttp takes several spaces for one, and versions that nobody here speaks.
    line = _REQUEST_LINE.match(block)
    if line is None:
        raise RemoteProtocolError("malformed request line", status=400)
    method, target, digits = line.groups()
    version = _VERSIONS.get(digits)
    if version is None:
        raise RemoteProtocolError("this HTTP version is not spoken", status=505)
    _check_grammar(block)
    if method == b"CONNECT":
        raise RemoteProtocolError("this is no proxy", status=501)
    fields = _Fields(block[line.end() : -4], version)
    raw_path, query_string = _split_target(target, fields.host)
    return Head(
        method.decode("ascii"),
        raw_path,
        _decoded(raw_path),
        query_string,
        fields.headers,
        version,
        fields.length,
        fields.keep_alive,
        fields.expects_continue,
        fields.upgrade,
        fields.dropped,
    )


class _Silent:
    """Listens to nothing of what llhttp reads: a call for each field costs more than
    to cut the lines that it found good."""


_SILENT = _Silent()


def _check_grammar(block: bytes) -> None:
    try:
        httptools.HttpRequestParser(_SILENT).feed_data(block)
    except httptools.HttpParserUpgrade:
        pass  # llhttp stops here; what the upgrade means is decided by the mounts
    except httptools.HttpParserInvalidMethodError as error:
        raise RemoteProtocolError("this method is unknown", status=501) from error
    except httptools.HttpParserError as error:
        raise RemoteProtocolError("malformed request head", status=400) from error


class _Fields:
    """The header fields, and what they say about the connection and the body.

    Args:
        lines: of the fields, without the last line end; each is known to be good.
    """

    __slots__ = (
        "dropped",
        "expects_continue",
        "headers",
        "host",
        "keep_alive",
        "length",
        "upgrade",
    )

    def __init__(self, lines: bytes, version: str) -> None:
        self.headers: Headers = []
        self.dropped = 0
        found: dict[bytes, list[bytes]] = {}
        for line in lines.split(b"\r\n") if lines else ():
            spelt, _, value = line.partition(b":")
            name = spelt.lower()
            value = value.strip(b" \t")
            if name in _INTERESTING:
                found.setdefault(name, []).append(value)
            elif b"_" in name:
                self.dropped += 1
                continue
            self.headers.append((name, value))
        self.host = _host(found.get(b"host", []), version)
        self.length = _length(found, version)
        self.keep_alive = version == "1.1"
        self.upgrade = ""
        if b"connection" in found:
            options = _tokens(found[b"connection"])
            self.keep_alive = b"close" not in options and (
                version == "1.1" or b"keep-alive" in options
            )
            # A body before the switch would have two meanings (RFC 9110 section 7.8).
            if b"upgrade" in options and version == "1.1" and self.length == 0:
                if _tokens(found.get(b"upgrade", [])) == [b"websocket"]:
                    self.upgrade = "websocket"
        self.expects_continue = False
        if b"expect" in found and version == "1.1":
            if _tokens(found[b"expect"]) != [b"100-continue"]:
                raise RemoteProtocolError("this expectation is unknown", status=417)
            self.expects_continue = self.length != 0


def _tokens(values: list[bytes]) -> list[bytes]:
    return [token.strip(b" \t").lower() for token in b",".join(values).split(b",")]


def _host(hosts: list[bytes], version: str) -> bytes | None:
    if len(hosts) == 1 and _is_host(hosts[0]):
        return hosts[0]
    if not hosts and version == "1.0":
        return None
    raise RemoteProtocolError("Host must be there once and be valid", status=400)


# The same few values come again and again.
@lru_cache(maxsize=1_024)
def _is_host(value: bytes) -> bool:
    match = _HOST.fullmatch(value)
    if match is None:
        return False
    if match[1] is not None:
        try:
            ipaddress.IPv6Address(match[1].decode("ascii"))
        except ValueError:
            return False
    return match[2] is None or int(match[2]) < 65_536


def _length(found: dict[bytes, list[bytes]], version: str) -> int:
    """Return how long the body is; two answers to that are how smuggling works."""
    lengths = found.get(b"content-length", ())
    codings = found.get(b"transfer-encoding", ())
    if not codings:
        if not lengths:
            return 0
        if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 18:
            raise RemoteProtocolError("malformed Content-Length", status=400)
        return int(lengths[0])
    if lengths or version == "1.0" or len(codings) > 1:
        raise RemoteProtocolError("the body's length is ambiguous", status=400)
    if codings[0].lower() != b"chunked":
        raise RemoteProtocolError("this transfer coding is unknown", status=501)
    return CHUNKED


def _split_target(target: bytes, host: bytes | None) -> tuple[bytes, bytes]:
    """Return path and query string of the target (RFC 9112 section 3.2)."""
    if b"#" in target:
        raise RemoteProtocolError("a target has no fragment", status=400)
    if target.startswith(b"/"):
        path, _, query = target.partition(b"?")
        return path, query
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise RemoteProtocolError("this form of target is not served", status=400)
    authority = match[1]
    if not _is_host(authority) or (
        host is not None and authority.lower() != host.lower()
    ):
        raise RemoteProtocolError("target and Host must agree", status=400)
    return match[2] or b"/", match[3] or b""


def _decoded(raw_path: bytes) -> str:
    if b"%" not in raw_path:
        return raw_path.decode("ascii")
    return unquote_to_bytes(raw_path).decode("utf-8", "replace")
