"""The WebSocket plugin: a mount on http that decides handshakes by consumers."""

from __future__ import annotations

import typing
from collections.abc import Sequence

from fairway.kit import Exchange, Mount, ProtocolSpec, Settings, hookimpl
from fairway.plugins.websocket.spec import SPEC, WebSocketConfig

__all__ = ["fairway_mounts", "fairway_protocols"]


class _Opens(typing.Protocol):
    def open(self, exchange: Exchange) -> None: ...


@hookimpl
def fairway_protocols() -> Sequence[ProtocolSpec]:
    """Declare the protocol."""
    return (SPEC,)


@hookimpl
def fairway_mounts(settings: Settings) -> Sequence[Mount]:
    """Take the upgrades that reach http."""
    config = settings.section("websocket", WebSocketConfig)
    return (Mount(on="http", prefix=config.path, upgrade="websocket", open=_open),)


def _open(protocol: _Opens, exchange: Exchange) -> None:
    protocol.open(exchange)
