"""A protocol whose section holds a secret."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.core.plugin.hookspecs import hookimpl
from fairway.core.plugin.spec import ProtocolSpec
from fairway.core.settings import Config, Secret

__all__ = ["Secretive"]


class Secretive(Config, frozen=True, kw_only=True):
    """Its section."""

    token: Secret


@hookimpl
def fairway_protocols() -> Sequence[ProtocolSpec]:
    """Declare it."""
    return [
        ProtocolSpec(
            name="secretive",
            config=Secretive,
            events=(),
            replies={},
            peers="none",
            ordering="none",
            transports={},
        )
    ]
