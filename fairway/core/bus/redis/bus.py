"""What the parts of the layer need of it."""

from __future__ import annotations

import typing
from collections.abc import Sequence

from fairway.core.bus.layer import LayerPolicy, Receiver
from fairway.core.bus.operations import Operation, Outcome
from fairway.core.bus.redis.address import Address
from fairway.core.bus.redis.flush import Flush
from fairway.core.bus.redis.outage import Outage
from fairway.core.drops import Drops

__all__ = ["Bus"]


class Bus(typing.Protocol):
    """The layer, as its receivers and ports see it; any thread may use it."""

    url: str
    """Without secrets."""
    address: Address
    outage: Outage
    policy: LayerPolicy
    drops: Drops
    trouble: str
    """Why the server was unavailable last."""

    def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Carry out operations on a connection of their own."""

    def settle(self, flush: Flush, outcomes: Sequence[Outcome]) -> None:
        """Count and log what a flush met on its way."""

    def ring(self, key: str) -> None:
        """Wake whoever waits on a list; says nothing when that fails."""

    def forget(self, receiver: Receiver) -> None:
        """Drop a receiver that closed."""
