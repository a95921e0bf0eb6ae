"""A protocol whose peers belong to no single interface server."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.core.plugin.hookspecs import hookimpl
from fairway.core.plugin.spec import Event, ProtocolSpec
from fairway.core.settings import Config

__all__ = ["SPEC"]

SPEC = ProtocolSpec(
    name="letters",
    config=Config,
    events=(Event(channel="letters.receive"),),
    replies={"text": str},
    peers="shared",
    ordering="none",
    transports={},
)


@hookimpl
def fairway_protocols() -> Sequence[ProtocolSpec]:
    return [SPEC]
