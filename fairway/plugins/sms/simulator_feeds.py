"""The streams by which pages of the simulated phone see what happens."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from fairway.kit import Exchange

__all__ = ["Feeds", "event"]

_MOST = 64
"""Pages at the same time."""
_MOST_UNSENT = 256 * 1024
"""Bytes that a page may leave untaken; then it is cut and comes back by itself."""


def event(name: str, what: object) -> bytes:
    """Return a server-sent event (HTML Standard, 9.2); its data is one line of JSON."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(what))


class Feeds:
    """Streams by the number of the phone that their pages show."""

    def __init__(self) -> None:
        self._feeds: dict[Exchange, str] = {}

    def open(
        self,
        number: str,
        exchange: Exchange,
        headers: Iterable[tuple[bytes, bytes]],
        begin: bytes,
    ) -> bool:
        """Begin a stream; False when there are too many."""
        if len(self._feeds) >= _MOST:
            return False
        self._feeds[exchange] = number
        exchange.on_closed(lambda: self._closed(exchange))
        exchange.start(200, headers)
        exchange.write(begin)
        return True

    def tell(self, number: str, what: bytes) -> None:
        """Send to the pages that show a phone."""
        for exchange in [one for one, shown in self._feeds.items() if shown == number]:
            if exchange.unsent_bytes > _MOST_UNSENT:
                del self._feeds[exchange]
                exchange.abort()
            else:
                exchange.write(what)

    def _closed(self, exchange: Exchange) -> None:
        self._feeds.pop(exchange, None)

    def stop(self) -> None:
        """End all streams."""
        feeds, self._feeds = self._feeds, {}
        for exchange in feeds:
            exchange.finish()
