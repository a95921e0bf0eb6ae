"""A plugin that hands what consumers and plugins raise to a collector of errors."""

from __future__ import annotations

import logging

from fairway.kit import Content, hookimpl

collector = logging.getLogger("errors")


@hookimpl
def fairway_consumer_failed(
    channel: str, content: Content, peer: str | None, exception: Exception
) -> None:
    """Report a consumer, with the keys of its message and none of the values."""
    tags = {"channel": channel, "peer": peer, "keys": sorted(content)}
    collector.error("a consumer failed", exc_info=exception, extra=tags)


@hookimpl
def fairway_plugin_failed(plugin: str, hook: str, exception: Exception) -> None:
    """Report a plugin."""
    tags = {"plugin": plugin, "hook": hook}
    collector.error("a plugin failed", exc_info=exception, extra=tags)
