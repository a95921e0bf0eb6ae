"""Out: combines what many threads send into few writes.

A thread that finds the write line free writes everything that is ready; the others
leave theirs to it. The line is taken before the operations are, so that no two writes
overtake each other.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence

from msgspec import Struct

from fairway.core.bus.layer import (
    REPLY_LOST,
    ChannelLayer,
    Lost,
    Operation,
    Outcome,
    Send,
    channel_of,
)
from fairway.core.drops import Drop
from fairway.core.names import mailbox_of

__all__ = ["Out"]

_REASONS = {
    Outcome.FULL: Drop.FULL,
    Outcome.UNAVAILABLE: Drop.UNAVAILABLE,
    Outcome.UNKNOWN: Drop.UNKNOWN,
}
_FULL = Outcome.FULL


class _Lot(Struct):
    operations: Sequence[Operation]
    otherwise: Sequence[Operation]


class Out:
    """The operations of a worker on their way out. Any thread may use it.

    What the layer refuses is counted and logged at a bounded rate; it never raises for
    it. The owner of a peer whose mailbox was full hears that a reply is missing.
    """

    def __init__(self, layer: ChannelLayer) -> None:
        self._layer = layer
        self._ready: deque[_Lot] = deque()
        self._line = threading.Lock()
        self._since = 0.0

    def add(
        self, operations: Sequence[Operation], otherwise: Sequence[Operation] = ()
    ) -> None:
        """Get operations ready; they leave together and in order with a flush.

        Args:
            otherwise: what leaves after them when the last of them was not written.
        """
        if operations:
            if not self._ready:
                self._since = time.monotonic()
            self._ready.append(_Lot(operations, otherwise))

    def age(self) -> float:
        """Return for how many seconds something has been ready; 0 if nothing is."""
        return time.monotonic() - self._since if self._ready else 0.0

    def flush(self) -> None:
        """Write what is ready, unless another thread is about to."""
        # Looking again after the line is free finds what was added behind the holder's
        # back by a thread that found the line taken.
        while self._ready and self._line.acquire(blocking=False):
            try:
                self._write(self._take())
            finally:
                self._line.release()

    def _take(self) -> list[_Lot]:
        lots = []
        while self._ready:
            lots.append(self._ready.popleft())
        return lots

    def _write(self, lots: list[_Lot]) -> None:
        operations = [operation for lot in lots for operation in lot.operations]
        outcomes = self._layer.apply(operations)
        if outcomes.count(Outcome.ACCEPTED) == len(outcomes):
            return
        for operation, outcome in zip(operations, outcomes, strict=True):
            if outcome is not Outcome.ACCEPTED:
                self._layer.drops.add(channel_of(operation), _REASONS[outcome])
        self._write_otherwise(lots, outcomes)

    def _write_otherwise(self, lots: list[_Lot], outcomes: list[Outcome]) -> None:
        end = 0
        instead: list[Operation] = []
        for lot in lots:
            begin, end = end, end + len(lot.operations)
            refused = zip(lot.operations, outcomes[begin:end], strict=True)
            instead += _gaps(operation for operation, one in refused if one is _FULL)
            if outcomes[end - 1] in (Outcome.FULL, Outcome.UNAVAILABLE):
                instead += lot.otherwise
        if instead:
            self._write([_Lot(instead, ())])


def _gaps(refused: Iterable[Operation]) -> list[Operation]:
    """Return how the owners of peers hear that a reply is missing."""
    channels = [one.channel for one in refused if isinstance(one, Send)]
    peers = dict.fromkeys(channel for channel in channels if mailbox_of(channel))
    return [Lost(peer, REPLY_LOST) for peer in peers]
