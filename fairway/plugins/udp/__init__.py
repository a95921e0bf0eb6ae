"""The UDP plugin: datagrams are events, replies are datagrams."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.kit import ProtocolSpec, hookimpl
from fairway.plugins.udp.spec import SPEC

__all__ = ["fairway_protocols"]


@hookimpl
def fairway_protocols() -> Sequence[ProtocolSpec]:
    """Declare the protocol."""
    return (SPEC,)
