"""A protocol without connections."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.core.plugin.hookspecs import hookimpl
from fairway.core.plugin.spec import Event, ProtocolSpec
from fairway.core.settings import Config

__all__ = ["SPEC"]

SPEC = ProtocolSpec(
    name="datagrams",
    config=Config,
    events=(Event(channel="datagrams.receive"),),
    replies={"text": str, "bytes": bytes},
    peers="owned",
    ordering="none",
    transports={},
)


@hookimpl
def fairway_protocols() -> Sequence[ProtocolSpec]:
    return [SPEC]
