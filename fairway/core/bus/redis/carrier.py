"""Takes a flush through its exchanges on a blocking connection."""

from __future__ import annotations

import time
from collections.abc import Sequence

from fairway.core.bus.operations import Operation, Outcome
from fairway.core.bus.redis.bus import Bus
from fairway.core.bus.redis.flush import Flush
from fairway.core.bus.redis.link import Link
from fairway.core.bus.redis.resp import Command

__all__ = ["carry_out"]


def carry_out(
    bus: Bus,
    link: Link,
    operations: Sequence[Operation],
    *,
    deadline: float,
    behind: Sequence[Command] = (),
) -> tuple[list[Outcome], bool]:
    """Return what became of operations, and whether another link may do better.

    One exchange carries them, two when groups are among them.

    Args:
        deadline: local time after which nobody waits any more.
        behind: commands that leave right behind the operations, in the same write where
            that can be; their answers are left to be read.
    """
    now = time.monotonic()
    flush = Flush(operations, link.keys, link.clock, policy=bus.policy, now=now)
    groups = flush.first()
    pushes = flush.second(link.exchange(groups, deadline))
    # What groups lead to may be more commands: then `behind` waits for its turn.
    outcomes = flush.finish(link.exchange(pushes, deadline, () if groups else behind))
    bus.settle(flush, outcomes)
    bus.trouble = flush.refusal or link.failure or bus.trouble
    if groups:
        link.exchange(flush.reaps, deadline)
        link.exchange((), deadline, behind)
    return outcomes, flush.outdated
