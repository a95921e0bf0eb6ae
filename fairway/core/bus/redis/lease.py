"""Leases: how everybody sees whether somebody reads a mailbox."""

from __future__ import annotations

from fairway.core.bus.redis.keys import Keys
from fairway.core.bus.redis.resp import (
    Answer,
    Command,
    ReplyError,
    is_outdated,
    is_refusal,
)

__all__ = [
    "PROVISIONAL_LEASE",
    "SLICE",
    "has_lapsed",
    "is_put_off",
    "promise",
    "renew",
    "slice_of",
]

SLICE = 2.0
"""Seconds of one blocking call, so that a half-open connection swallows one batch."""
PROVISIONAL_LEASE = 30.0
"""Seconds that a mailbox nobody may have opened yet stays in its groups."""
_OWNED = "owned"
_PROVISIONAL = "provisional"


def slice_of(lease: float) -> float:
    """Return how long a blocking call may last between two renewals of a lease."""
    return min(SLICE, lease / 3)


def renew(keys: Keys, mailbox: str, lease: float) -> Command:
    """Return the command with which a mailbox's reader renews its lease."""
    return ("SET", keys.lease(mailbox), _OWNED, "PX", int(lease * 1000), "GET")


def has_lapsed(answer: Answer) -> bool:
    """Read the answer to `renew`: nobody held the lease, or not its reader.

    Then the mailbox may have been taken out of its groups.
    """
    return bool(answer != _OWNED.encode())


def is_put_off(answer: Answer) -> bool:
    """Read the answer to `renew`: it could not be written now, for want of memory, say.

    All that waits in the mailbox can be taken even then.
    """
    return (
        isinstance(answer, ReplyError)
        and is_refusal(answer)
        and not is_outdated(answer)
    )


def promise(keys: Keys, mailbox: str) -> Command:
    """Return the command that gives a mailbox a lease when it has none."""
    life = int(PROVISIONAL_LEASE * 1000)
    return ("SET", keys.lease(mailbox), _PROVISIONAL, "NX", "PX", life)
