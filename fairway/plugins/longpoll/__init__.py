"""The long-poll plugin: conversations over plain requests, mounted on http."""

from __future__ import annotations

import typing
from collections.abc import Sequence

from fairway.kit import Exchange, Mount, ProtocolSpec, Settings, hookimpl
from fairway.plugins.longpoll.spec import SPEC, LongPollConfig

__all__ = ["fairway_mounts", "fairway_protocols"]


class _Opens(typing.Protocol):
    def open(self, exchange: Exchange) -> None: ...


@hookimpl
def fairway_protocols() -> Sequence[ProtocolSpec]:
    """Declare the protocol."""
    return (SPEC,)


@hookimpl
def fairway_mounts(settings: Settings) -> Sequence[Mount]:
    """Take the requests below its path."""
    config = settings.section("longpoll", LongPollConfig)
    methods = ("GET", "POST", "OPTIONS")
    return (Mount(on="http", prefix=config.path, methods=methods, open=_open),)


def _open(protocol: _Opens, exchange: Exchange) -> None:
    protocol.open(exchange)
