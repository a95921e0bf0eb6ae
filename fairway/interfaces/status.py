"""`/-/live` and `/-/ready`: whether this interface server runs, and can do its work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fairway.core.plugin.hookspecs import hookimpl
from fairway.core.plugin.web import Exchange, Mount
from fairway.core.settings import Settings

__all__ = ["Status"]

_PLAIN = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"cache-control", b"no-store"),
)


class Status:
    """The built-in plugin that mounts both on http.

    They are open to everybody and say no more than yes or no, and why not.

    Args:
        obstacle: returns one line that says why the server is not ready, or None.
    """

    def __init__(self, obstacle: Callable[[], str | None]) -> None:
        self._obstacle = obstacle

    @hookimpl
    def fairway_mounts(self, settings: Settings) -> Sequence[Mount]:
        """Declare the two places."""
        return (
            Mount(prefix="/-/live", methods=("GET", "HEAD"), open=self._live),
            Mount(prefix="/-/ready", methods=("GET", "HEAD"), open=self._ready),
        )

    def _live(self, protocol: Any, exchange: Exchange) -> None:
        # Whoever can answer runs.
        exchange.respond(200, _PLAIN, b"live\n")

    def _ready(self, protocol: Any, exchange: Exchange) -> None:
        obstacle = self._obstacle()
        if obstacle is None:
            exchange.respond(200, _PLAIN, b"ready\n")
        else:
            exchange.respond(503, _PLAIN, f"{obstacle}\n".encode())
