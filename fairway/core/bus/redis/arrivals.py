"""Turns records that were taken into deliveries."""

from __future__ import annotations

from collections.abc import Iterable

from fairway.core.bus.layer import Delivery
from fairway.core.bus.record import READABLE, RecordError, unpack
from fairway.core.bus.redis.clock import ServerClock
from fairway.core.drops import Drop, Drops

__all__ = ["read_records"]


def read_records(
    queue: str,
    records: Iterable[bytes],
    clock: ServerClock,
    *,
    drops: Drops,
    now: float,
) -> list[Delivery]:
    """Return what is to be handed over; counts what expired or cannot be read.

    Args:
        now: local time.
    """
    deliveries: list[Delivery] = []
    expired = 0
    for each in records:
        try:
            kind, body, deadline = unpack(each)
        except RecordError as error:
            known = error.version is None or error.version in READABLE
            drops.add(queue, Drop.INVALID if known else Drop.VERSION, detail=str(error))
            continue
        local = clock.local(deadline)
        if local > now:
            deliveries.append(Delivery(queue, kind, body, local))
        else:
            expired += 1
    if expired:
        drops.add(queue, Drop.EXPIRED, expired)
    return deliveries
