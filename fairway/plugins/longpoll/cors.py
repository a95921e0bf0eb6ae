"""What pages of other, allowed origins need to know (Fetch Standard, 3.2)."""

from __future__ import annotations

from fairway.kit import Headers

__all__ = ["origin_headers", "preflight_headers"]


def origin_headers(origin: bytes | None) -> Headers:
    """Return the fields that let a page read the answer; its origin is checked."""
    if origin is None:
        return []
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"retry-after"),
        (b"vary", b"origin"),
    ]


def preflight_headers() -> Headers:
    """Return the fields of the answer to a preflight of an allowed origin."""
    return [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"content-type, fairway-token"),
        (b"access-control-max-age", b"600"),
    ]
