"""Proofs that an address receives what is sent to it, without remembering anything."""

from __future__ import annotations

import base64
import hmac

__all__ = ["Cookies"]

_BYTES = 12


class Cookies:
    """Makes and checks cookies that are bound to an address and to a time.

    Whoever sends a cookie back has got it: the address is not forged. Nothing is kept
    for those who do not. The idea is that of Retry tokens (RFC 9000, 8.1.2) and of the
    Echo option (RFC 9175, 2.3); the form is fairway's own: 96 bits of HMAC-SHA-256 in
    16 characters of `A-Z a-z 0-9 - _`.

    Args:
        key: secret random bytes, at least 16; each process may have its own.
        lifetime: seconds that a cookie is taken at least; at most twice as long.
    """

    size = 16
    """Bytes of a cookie."""

    def __init__(self, key: bytes, lifetime: float = 30.0) -> None:
        if len(key) < 16 or lifetime <= 0:
            raise ValueError("a key has at least 16 bytes, a lifetime is above 0")
        self._key = key
        self._lifetime = lifetime

    def make(self, address: tuple[str, int], now: float) -> bytes:
        """Return the cookie to send to an address."""
        return self._cookie(address, int(now // self._lifetime))

    def check(self, cookie: bytes, address: tuple[str, int], now: float) -> bool:
        """Return whether a cookie was made for this address, and lately."""
        period = int(now // self._lifetime)
        return any(
            hmac.compare_digest(cookie, self._cookie(address, each))
            for each in (period, period - 1)
        )

    def _cookie(self, address: tuple[str, int], period: int) -> bytes:
        told = f"{address[0]} {address[1]} {period}".encode()
        digest = hmac.digest(self._key, told, "sha256")
        return base64.urlsafe_b64encode(digest[:_BYTES])
