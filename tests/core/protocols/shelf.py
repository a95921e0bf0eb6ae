"""A protocol whose events have names of their own."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.core.plugin.hookspecs import hookimpl
from fairway.core.plugin.spec import Event, ProtocolSpec
from fairway.core.settings import Config

__all__ = ["SPEC"]

SPEC = ProtocolSpec(
    name="shelf",
    config=Config,
    events=(
        Event(channel="shelf.connect"),
        Event(channel="shelf.put"),
        Event(channel="shelf.get"),
        Event(channel="shelf.disconnect"),
    ),
    replies={"text": str, "close": int},
    peers="owned",
    ordering="peer",
    failure={"close": True},
    unrouted={"close": True},
    transports={},
)


@hookimpl
def fairway_protocols() -> Sequence[ProtocolSpec]:
    return [SPEC]
