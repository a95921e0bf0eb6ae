"""A TCP load balancer as small as can be: in turn, and on when nobody listens."""

from __future__ import annotations

from tests.support.proxy import Proxy

__all__ = ["Balancer"]


class Balancer(Proxy):
    """Passes each connection on to the next target that takes it.

    What was taken is never tried again elsewhere, as with real ones.

    Args:
        targets: ports of 127.0.0.1; may be changed at any time.
    """

    def __init__(self, targets: list[int]) -> None:
        super().__init__(0)
        self.targets = targets
        self._turn = 0

    def choose(self) -> list[int]:
        """Return the targets, the next one first."""
        self._turn += 1
        first = self._turn % len(self.targets)
        return [*self.targets[first:], *self.targets[:first]]
