"""`/-/live`, `/-/ready` and `/-/metrics`: whether and how this server does its work."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import Any

from fairway.core.plugin.hookspecs import hookimpl
from fairway.core.plugin.web import Exchange, Mount
from fairway.core.settings import Secret, Settings

__all__ = ["Status"]

_PLAIN = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"cache-control", b"no-store"),
)
_METRICS = (
    (b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),
    (b"cache-control", b"no-store"),
)


class Status:
    """The built-in plugin that mounts them on http.

    The first two are open to everybody and say no more than yes or no, and why not.
    Metrics are there with a token only.

    Args:
        obstacle: returns one line that says why the server is not ready, or None.
        metrics: calls what it is given with the text of the metrics, later; with None
            when they could not be read.
    """

    def __init__(
        self,
        obstacle: Callable[[], str | None],
        metrics: Callable[[Callable[[bytes | None], None]], None],
    ) -> None:
        self._obstacle = obstacle
        self._metrics = metrics
        self._token = Secret("")

    @hookimpl
    def fairway_mounts(self, settings: Settings) -> Sequence[Mount]:
        """Declare the places."""
        open_to_all = (
            Mount(prefix="/-/live", methods=("GET", "HEAD"), open=self._live),
            Mount(prefix="/-/ready", methods=("GET", "HEAD"), open=self._ready),
        )
        if settings.metrics_token is None:
            return open_to_all
        self._token = settings.metrics_token
        metrics = Mount(prefix="/-/metrics", methods=("GET",), open=self._scrape)
        return (*open_to_all, metrics)

    def _live(self, protocol: Any, exchange: Exchange) -> None:
        # Whoever can answer runs.
        exchange.respond(200, _PLAIN, b"live\n")

    def _scrape(self, protocol: Any, exchange: Exchange) -> None:
        given = exchange.head.header(b"authorization") or b""
        wanted = b"Bearer " + self._token.reveal().encode()
        if not hmac.compare_digest(given, wanted):
            exchange.respond(403, _PLAIN, b"a wrong token, or none\n")
            return
        left = False

        def closed() -> None:
            nonlocal left
            left = True

        def answer(text: bytes | None) -> None:
            if left:
                return
            if text is None:
                exchange.respond(500, _PLAIN, b"the metrics could not be read\n")
            else:
                exchange.respond(200, _METRICS, text)

        exchange.on_closed(closed)
        self._metrics(answer)

    def _ready(self, protocol: Any, exchange: Exchange) -> None:
        obstacle = self._obstacle()
        if obstacle is None:
            exchange.respond(200, _PLAIN, b"ready\n")
        else:
            exchange.respond(503, _PLAIN, f"{obstacle}\n".encode())
