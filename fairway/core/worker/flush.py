"""Out: combines what many threads send into few writes.

A thread that finds the write line free writes everything that is ready; the others
leave theirs to it. The line is taken before the operations are, so that no two writes
overtake each other.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from fairway.core.bus.layer import ChannelLayer, Delivery, Receiver
from fairway.core.bus.operations import (
    REPLY_LOST,
    Answer,
    Done,
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
_UNAVAILABLE = Outcome.UNAVAILABLE
_NOT_WRITTEN = (Outcome.FULL, Outcome.UNAVAILABLE)
_PATIENCE = 10.0
"""Seconds that operations wait for a layer that is away; as long as a request does."""
_PAUSE = 0.25
"""Seconds between two attempts, where something wants to be flushed so often."""
_MOST_KEPT = 10_000
"""Operations that may wait, and as many that stand for what was given up."""
_CLOSING = 5.0
"""Seconds that a write under way may last."""


class _Lot(Struct):
    operations: Sequence[Operation]
    otherwise: Sequence[Operation] = ()
    until: float = 0.0
    """When it is given up; 0 before the first attempt."""
    final: bool = False
    """Whether it stands for what was not written; its own ends are not repeated."""


class Out:
    """The operations of a worker on their way out. Any thread may use it.

    What the layer refuses is counted and logged at a bounded rate; it never raises for
    it. What a layer that is away certainly did not take goes with later flushes, in
    order. The owner of a peer hears of a reply that is given up, and what it ended.

    Args:
        patience: for how many seconds.
    """

    def __init__(self, layer: ChannelLayer, *, patience: float = _PATIENCE) -> None:
        self._layer = layer
        self._patience = patience
        self._ready: deque[_Lot] = deque()
        # What the layer did not take yet, in front of what is ready; of the line.
        self._kept: list[_Lot] = []
        self._again = 0.0
        self._line = threading.Lock()
        self.since = math.inf
        """Local time since when something has been ready; infinite if nothing is."""

    def add(
        self, operations: Sequence[Operation], otherwise: Sequence[Operation] = ()
    ) -> None:
        """Get operations ready; they leave together and in order with a flush.

        Args:
            otherwise: what leaves after them when the last of them was not written.
        """
        if operations:
            if not self._ready:
                self.since = time.monotonic()
            self._ready.append(_Lot(operations, otherwise))

    def flush(self) -> None:
        """Write what is ready, unless another thread is about to."""
        # Looking again after the line is free finds what was added behind the holder's
        # back by a thread that found the line taken.
        while (self._ready or self._is_due()) and self._line.acquire(blocking=False):
            try:
                self._write(self._take())
            finally:
                self._line.release()

    def flush_and_take(self, receiver: Receiver, limit: int) -> list[Delivery]:
        """Write what is ready and take, in one step where the layer can do that.

        The line is free again as soon as the layer has said what became of the writes.
        """
        if self._kept or not self._ready or not self._line.acquire(blocking=False):
            self.flush()
            return receiver.take(limit)
        settled = False
        lots = self._take()

        def told(outcomes: list[Outcome]) -> None:
            nonlocal settled
            try:
                self._settle(lots, outcomes)
            finally:
                settled = True
                self._line.release()
            self.flush()

        operations = [operation for lot in lots for operation in lot.operations]
        try:
            return self._layer.apply_and_take(operations, told, receiver, limit)
        finally:
            if not settled:
                self._line.release()

    def close(self) -> None:
        """Write everything a last time; what is not taken is dropped and counted."""
        self._patience = 0.0
        if self._line.acquire(timeout=_CLOSING):
            try:
                self._write(self._take())
            finally:
                self._line.release()

    def _is_due(self) -> bool:
        return bool(self._kept) and time.monotonic() >= self._again

    def _take(self) -> list[_Lot]:
        # Before: what is added meanwhile goes along, what is added after sets it anew.
        self.since = math.inf
        lots, self._kept = self._kept, []
        while self._ready:
            lots.append(self._ready.popleft())
        return lots

    def _write(self, lots: list[_Lot]) -> None:
        operations = [operation for lot in lots for operation in lot.operations]
        self._settle(lots, self._layer.apply(operations))

    def _settle(self, lots: list[_Lot], outcomes: list[Outcome]) -> None:
        """Deal with what was not accepted."""
        if outcomes.count(Outcome.ACCEPTED) == len(outcomes):
            return
        # Where some were taken, what comes after them would overtake the others.
        away = outcomes.count(_UNAVAILABLE) == len(outcomes)
        if away:
            lots = self._keep(lots)
        operations = [operation for lot in lots for operation in lot.operations]
        outcomes = outcomes[: len(operations)]
        for operation, outcome in zip(operations, outcomes, strict=True):
            if outcome is not Outcome.ACCEPTED:
                self._layer.drops.add(channel_of(operation), _REASONS[outcome])
        if instead := _instead(lots, outcomes):
            # Of a layer that is away nobody hears now; they wait as long as a reply.
            (self._keep if away else self._write)([_Lot(instead, final=True)])

    def _keep(self, lots: list[_Lot]) -> list[_Lot]:
        """Keep what may wait, in front of what is kept; return what is given up."""
        now = time.monotonic()
        self._again = now + _PAUSE
        counts = [0, 0]  # of lots that are not final, and of those that are
        for lot in self._kept:
            counts[lot.final] += len(lot.operations)
        kept: list[_Lot] = []
        given_up: list[_Lot] = []
        for lot in lots:
            lot.until = lot.until or now + self._patience
            counts[lot.final] += len(lot.operations)
            has_room = counts[lot.final] <= _MOST_KEPT
            waits = self._patience and lot.until > now and has_room
            (kept if waits else given_up).append(lot)
        self._kept = kept + self._kept
        return given_up


def _instead(lots: Sequence[_Lot], outcomes: Sequence[Outcome]) -> list[Operation]:
    """Return what leaves for operations that were certainly not written."""
    end = 0
    instead: list[Operation] = []
    for lot in lots:
        begin, end = end, end + len(lot.operations)
        came = list(zip(lot.operations, outcomes[begin:end], strict=True))
        instead += _gaps([operation for operation, one in came if one in _NOT_WRITTEN])
        if not lot.final:
            instead += [
                operation
                for operation, one in came
                if one is _UNAVAILABLE and isinstance(operation, Done | Lost)
            ]
        if outcomes[end - 1] in _NOT_WRITTEN:
            instead += lot.otherwise
    return instead


def _gaps(refused: Sequence[Operation]) -> list[Operation]:
    """Return how owners of peers hear that a reply is missing, and what it ended."""
    replies = [one for one in refused if isinstance(one, Send | Answer)]
    peers = dict.fromkeys(map(channel_of, replies))
    ends = [one for one in replies if isinstance(one, Answer)]
    return [
        *(Lost(peer, REPLY_LOST) for peer in peers if mailbox_of(peer)),
        *(Done(one.reply_channel, one.order, one.state) for one in ends),
    ]
