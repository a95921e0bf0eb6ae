"""A protocol with connections, close codes and refusals."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.core.plugin.hookspecs import hookimpl
from fairway.core.plugin.spec import Event, ProtocolSpec
from fairway.core.settings import Config

__all__ = ["SPEC"]

SPEC = ProtocolSpec(
    name="websocket",
    config=Config,
    events=(
        Event(channel="websocket.connect"),
        Event(channel="websocket.receive"),
        Event(channel="websocket.disconnect"),
    ),
    replies={
        "accept": bool,
        "subprotocol": str,
        "headers": list,
        "text": str,
        "bytes": bytes,
        "close": int,
        "reason": str,
        "status": int,
        "content": bytes,
    },
    peers="owned",
    ordering="peer",
    failure={"close": 1011},
    unrouted={"close": 4404, "status": 404},
    transports={},
)


@hookimpl
def fairway_protocols() -> Sequence[ProtocolSpec]:
    return [SPEC]
