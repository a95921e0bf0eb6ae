"""Turns records that were taken into deliveries, and counts those that died."""

from __future__ import annotations

from collections.abc import Iterable

from fairway.core.bus.layer import Delivery
from fairway.core.bus.record import READABLE, RecordError, unpack
from fairway.core.drops import Drop, Drops

__all__ = ["read_records"]


def read_records(
    queue: str, records: Iterable[bytes], *, ahead: float, drops: Drops, now: float
) -> list[Delivery]:
    """Return what is to be handed over; counts what expired or cannot be read.

    Args:
        ahead: seconds that this process's `time.monotonic()` is ahead of the bus's
            clock.
        now: this moment, of `time.monotonic()`.
    """
    deliveries: list[Delivery] = []
    expired = 0
    for each in records:
        try:
            kind, body, until, sent = unpack(each)
        except RecordError as error:
            known = error.version is None or error.version in READABLE
            drops.add(queue, Drop.INVALID if known else Drop.VERSION, detail=str(error))
            continue
        deadline = until + ahead
        if deadline > now:
            sent = None if sent is None else sent + ahead
            deliveries.append(Delivery(queue, kind, body, deadline, sent))
        else:
            expired += 1
    if expired:
        drops.add(queue, Drop.EXPIRED, expired)
    return deliveries
