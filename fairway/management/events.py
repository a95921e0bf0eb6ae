"""The line that runserver prints for each event a consumer has handled."""

from __future__ import annotations

import logging

from fairway.core.content import Content
from fairway.core.plugin.hookspecs import hookimpl
from fairway.management.logs import ACCESS

__all__ = ["EventLines"]

_log = logging.getLogger(ACCESS)
_TOLD_BY_PROTOCOL = frozenset(
    {"http.request", "http.disconnect", "websocket.connect", "websocket.disconnect"}
)
"""Events whose protocol logs a line of its own, with the outcome in it."""


class EventLines:
    """A built-in plugin; protocols that log their own lines are left out."""

    @hookimpl
    def fairway_consumer_finished(
        self, channel: str, content: Content, error: Exception | None
    ) -> None:
        """Log what was consumed."""
        if channel in _TOLD_BY_PROTOCOL:
            return
        protocol, _, what = channel.partition(".")
        _log.info(
            "%s",
            channel,
            extra={
                "protocol": protocol,
                "what": what.upper() + (" FAILED" if error else ""),
                "path": content.get("path"),
                "client": content.get("client", ""),
                "status": 500 if error else None,
            },
        )
