"""Removes what a former server left of queues, and counts it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fairway.core.bus.redis.keys import Keys
from fairway.core.bus.redis.resp import Answer, Command
from fairway.core.bus.redis.scripts import BURY
from fairway.core.drops import Drop, Drops

__all__ = ["bury", "count_buried"]


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
