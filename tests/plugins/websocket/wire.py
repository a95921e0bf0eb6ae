"""What a client puts on the wire, built by hand, without anything of fairway."""

from __future__ import annotations

import struct
import zlib

from fairway.kit import Headers, RequestHead

__all__ = [
    "KEY",
    "deflated",
    "frame",
    "head",
    "inflated",
    "message",
    "split_frames",
]

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
"""The key of RFC 6455, 1.3."""


def head(
    *extra: tuple[bytes, bytes],
    without: tuple[bytes, ...] = (),
    method: str = "GET",
    http_version: str = "1.1",
    path: str = "/",
) -> RequestHead:
    """Return the head of a handshake."""
    replaced = {name for name, _ in extra}
    headers: Headers = [
        (name, value)
        for name, value in (
            (b"host", b"example.com"),
            (b"upgrade", b"websocket"),
            (b"connection", b"keep-alive, Upgrade"),
            (b"sec-websocket-key", KEY),
            (b"sec-websocket-version", b"13"),
        )
        if name not in without and name not in replaced
    ]
    return RequestHead(
        method=method,
        path=path,
        raw_path=path.encode(),
        query_string=b"",
        headers=[*headers, *extra],
        http_version=http_version,
        scheme="http",
        client="192.0.2.1:5123",
        server=("127.0.0.1", 8000),
    )


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = b"\x11\x22\x33\x44",
) -> bytes:
    """Return a client's frame; `mask=None` leaves the mask out."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    masked = 0 if mask is None else 0x80
    size = len(payload)
    if size < 126:
        header = struct.pack("!BB", first, masked | size)
    elif size < 65536:
        header = struct.pack("!BBH", first, masked | 126, size)
    else:
        header = struct.pack("!BBQ", first, masked | 127, size)
    if mask is None:
        return header + payload
    key = (mask * (size // 4 + 1))[:size]
    covered = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return header + mask + covered.to_bytes(size, "big")


def message(opcode: int, *fragments: bytes) -> bytes:
    """Return a message in fragments."""
    last = len(fragments) - 1
    return b"".join(
        frame(opcode if index == 0 else 0, fragment, fin=index == last)
        for index, fragment in enumerate(fragments)
    )


def deflated(payload: bytes, level: int = 9) -> bytes:
    """Return a payload as permessage-deflate sends it."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return body.removesuffix(b"\x00\x00\xff\xff")


def inflated(body: bytes) -> bytes:
    """Return the payload of a compressed message."""
    return zlib.decompressobj(-15).decompress(body + b"\x00\x00\xff\xff")


def split_frames(data: bytes) -> list[tuple[int, bytes]]:
    """Return (first byte, payload) of each frame of a server."""
    frames = []
    while data:
        size, start = data[1], 2
        assert size < 128, "a server masks nothing"
        if size == 126:
            size, start = struct.unpack("!H", data[2:4])[0], 4
        elif size == 127:
            size, start = struct.unpack("!Q", data[2:10])[0], 10
        frames.append((data[0], data[start : start + size]))
        data = data[start + size :]
    return frames
