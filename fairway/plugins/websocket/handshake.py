"""The opening handshake of a WebSocket, decided from a parsed request (RFC 6455, 4.2).

No byte of the request is parsed twice: http has read it, here its fields are judged.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from fairway.kit import (
    Headers,
    LocalProtocolError,
    RemoteProtocolError,
    RequestHead,
    Site,
    check_origin,
)
from fairway.plugins.websocket.deflate import Agreement, negotiate
from fairway.plugins.websocket.spec import WebSocketConfig

__all__ = ["Handshake", "accept_headers", "check_headers", "read_handshake"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_MAX_SUBPROTOCOLS = 100
_RESERVED = frozenset(
    {
        b"connection",
        b"content-length",
        b"sec-websocket-accept",
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)


class Handshake(Struct, frozen=True):
    """A handshake that may be accepted."""

    accept: bytes
    """The field Sec-WebSocket-Accept."""
    subprotocols: tuple[str, ...]
    """What the client offers, in its order."""
    deflate: Agreement


def read_handshake(head: RequestHead, config: WebSocketConfig, site: Site) -> Handshake:
    """Judge a request.

    Raises:
        RemoteProtocolError: with the HTTP status to answer; 426 goes with the field
            `Sec-WebSocket-Version: 13`.
    """
    _check_upgrade(head)
    key = _check_key(_values(head, b"sec-websocket-key"))
    check_origin(head, config.allowed_origins, site)
    extensions = b",".join(_values(head, b"sec-websocket-extensions"))
    return Handshake(
        accept=base64.b64encode(hashlib.sha1(key + _GUID).digest()),
        subprotocols=_read_subprotocols(_values(head, b"sec-websocket-protocol")),
        deflate=negotiate(_ascii(extensions)) if config.compression else Agreement(0),
    )


def accept_headers(
    handshake: Handshake, subprotocol: str | None, extra: Any
) -> Headers:
    """Build the fields of the answer 101, but for Upgrade and Connection.

    Args:
        subprotocol: what the consumer chose.
        extra: the consumer's own fields, unchecked.

    Raises:
        LocalProtocolError: the client did not offer the subprotocol, or a field is not
            allowed.
    """
    headers = [(b"sec-websocket-accept", handshake.accept)]
    if subprotocol is not None:
        if subprotocol not in handshake.subprotocols:
            raise LocalProtocolError(
                f"subprotocol {subprotocol!r} was not offered by the client, "
                f"which offers: {', '.join(handshake.subprotocols) or 'none'}"
            )
        headers.append((b"sec-websocket-protocol", subprotocol.encode()))
    if handshake.deflate.window_bits:
        headers.append((b"sec-websocket-extensions", handshake.deflate.answer))
    return headers + check_headers(extra)


def check_headers(extra: Any) -> Headers:
    """Return a consumer's header fields, names in lower case.

    Raises:
        LocalProtocolError: a field could break the answer apart, or is not the
            consumer's to set.
    """
    if not isinstance(extra, (list, tuple)):
        raise LocalProtocolError("headers must be a list of [name, value]")
    headers: Headers = []
    for field in extra:
        if not isinstance(field, (list, tuple)) or len(field) != 2:
            raise LocalProtocolError("headers must be a list of [name, value]")
        name, value = _raw(field[0]).lower(), _raw(field[1])
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise LocalProtocolError(f"header {field[0]!r} has a forbidden character")
        if name in _RESERVED:
            raise LocalProtocolError(f"header {field[0]!r} is set by the protocol")
        headers.append((name, value))
    return headers


def _check_upgrade(head: RequestHead) -> None:
    if head.method != "GET":
        raise RemoteProtocolError("a WebSocket begins with GET", status=405)
    if head.http_version != "1.1":
        raise RemoteProtocolError("a WebSocket needs HTTP/1.1", status=400)
    if b"websocket" not in _tokens(_values(head, b"upgrade")):
        raise RemoteProtocolError("the request asks for no WebSocket", status=426)
    if b"upgrade" not in _tokens(_values(head, b"connection")):
        raise RemoteProtocolError("the field Connection lacks upgrade", status=400)
    if _values(head, b"sec-websocket-version") != [b"13"]:
        raise RemoteProtocolError("only version 13 is spoken", status=426)


def _check_key(keys: Sequence[bytes]) -> bytes:
    if len(keys) != 1:
        raise RemoteProtocolError(
            "the field Sec-WebSocket-Key must stand once", status=400
        )
    try:
        decoded = base64.b64decode(keys[0], validate=True)
    except binascii.Error:
        decoded = b""
    if len(keys[0]) != 24 or len(decoded) != 16:
        raise RemoteProtocolError(
            "the field Sec-WebSocket-Key must be 16 bytes in base64", status=400
        )
    return keys[0]


def _read_subprotocols(fields: Sequence[bytes]) -> tuple[str, ...]:
    offered: dict[str, None] = {}
    for field in fields:
        for element in field.split(b","):
            name = element.strip(b" \t")
            if not name:
                continue  # a list may have empty elements (RFC 9110, 5.6.1)
            if not _TOKEN.fullmatch(name):
                raise RemoteProtocolError(
                    "the field Sec-WebSocket-Protocol is no list of tokens", status=400
                )
            offered[name.decode("ascii")] = None
    if len(offered) > _MAX_SUBPROTOCOLS:
        raise RemoteProtocolError("too many subprotocols", status=400)
    return tuple(offered)


def _values(head: RequestHead, name: bytes) -> list[bytes]:
    return [value.strip(b" \t") for key, value in head.headers if key == name]


def _tokens(fields: Sequence[bytes]) -> set[bytes]:
    return {token.strip(b" \t").lower() for f in fields for token in f.split(b",")}


def _ascii(raw: bytes) -> str:
    # What is not ASCII matches nothing that is understood.
    return raw.decode("ascii", "replace")


def _raw(text: Any) -> bytes:
    if isinstance(text, bytes):
        return text
    if isinstance(text, str):
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError as error:
            raise LocalProtocolError(
                f"header text {text!r} has a forbidden character"
            ) from error
    raise LocalProtocolError("names and values of headers must be str or bytes")
