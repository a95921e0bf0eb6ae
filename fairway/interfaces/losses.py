"""Ends the wait of peers for what a fault of the channel layer has swallowed.

A layer that was restarted holds nothing of before, and one that delivers nothing for
long may hold it for nobody. Without this a request would wait for its `answer_timeout`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from fairway.core.drops import Drop
from fairway.core.plugin.wire import Clock
from fairway.interfaces.peers import LocalPeer

__all__ = ["REPRIEVE", "Losses"]

REPRIEVE = 4.0
"""Seconds after a restart in which workers that had taken an event may say so: they
connect again within two, and look whether to say it each second."""
_LOOK_EVERY = 0.5
_LOOKS = 2
"""Looks in a row: a loop that stood still finds its time over before it reads."""


class Losses:
    """Tells the owners of peers what the bus took and nobody will end.

    Args:
        peers: those of this process.
        is_deaf: whether nothing has come from the bus for long.
    """

    def __init__(
        self, peers: Iterable[LocalPeer], clock: Clock, is_deaf: Callable[[], bool]
    ) -> None:
        self._peers = peers
        self._clock = clock
        self._is_deaf = is_deaf
        self._deaf_looks = 0
        self._look()

    def emptied(self) -> None:
        """The layer holds nothing of before; what workers had taken is not lost."""
        there = [(peer, peer.sent) for peer in self._peers if peer.sent is not None]
        if there:
            due = time.monotonic() + REPRIEVE
            self._clock.call_at(due, lambda: self._give_up(there))

    def _give_up(self, there: list[tuple[LocalPeer, int]]) -> None:
        for peer, sent in there:
            # Else a worker said since then that it is at it.
            if peer.sent == sent:
                peer.owner.swallowed(peer, sent, Drop.FAILOVER)

    def _look(self) -> None:
        self._deaf_looks = self._deaf_looks + 1 if self._is_deaf() else 0
        if self._deaf_looks >= _LOOKS:
            for peer in self._peers:
                # The record of a peer in order may still be consumed: it expires.
                if peer.sent is not None and peer.order is None:
                    peer.owner.swallowed(peer, peer.sent, Drop.UNAVAILABLE)
        self._clock.call_at(time.monotonic() + _LOOK_EVERY, self._look)
