"""Turns records that were taken into deliveries, and counts those that died."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fairway.core.bus.layer import Delivery
from fairway.core.bus.record import READABLE, RecordError, unpack
from fairway.core.bus.redis.clock import ServerClock
from fairway.core.bus.redis.keys import Keys
from fairway.core.bus.redis.resp import Answer, Command
from fairway.core.bus.redis.scripts import BURY
from fairway.core.drops import Drop, Drops

__all__ = ["bury", "count_buried", "read_records"]


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
    ahead = clock.local(0.0)
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


def bury(before: Keys, queues: Iterable[str]) -> list[Command]:
    """Return the commands that remove what a former server left of queues.

    A promoted replica or a restored snapshot holds it; some of it was taken already.
    """
    return [BURY([before.queue(queue)]) for queue in queues]


def count_buried(
    queues: Sequence[str], answers: Sequence[Answer], drops: Drops
) -> None:
    """Count what the commands of `bury` removed."""
    for queue, answer in zip(queues, answers, strict=True):
        if isinstance(answer, int) and answer:
            drops.add(queue, Drop.FAILOVER, answer)
