"""A plugin that keeps some events from the bus."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.kit import Content, Filter, Peer, Settings, hookimpl


def _unwanted(protocol: str, content: Content, peer: Peer | None) -> Content | None:
    return None if content.get("text") == "filter" else content


@hookimpl
def fairway_event_filters(settings: Settings) -> Sequence[Filter]:
    """Declare it."""
    return [_unwanted]
