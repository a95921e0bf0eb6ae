"""Counts every dropped message by channel and reason, and logs at a bounded rate."""

from __future__ import annotations

import logging
import threading
import time
import typing
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

__all__ = ["Drop", "Drops", "Named"]

_LOG_EVERY = 10.0
"""Seconds between two log lines about one channel and reason."""
_MAX_KEYS = 10_000

log = logging.getLogger("fairway.drops")


class Drop(StrEnum):
    """Why a message was dropped: stable codes, shown in logs and metrics."""

    FULL = "full"
    """The channel, or a mailbox behind a group, held as much as it may."""
    EXPIRED = "expired"
    """Nobody took it before its deadline."""
    UNAVAILABLE = "unavailable"
    """The channel layer could not be reached for as long as the event may wait."""
    UNKNOWN = "unknown"
    """Written to the channel layer, which did not answer; never sent twice."""
    FAILOVER = "failover"
    """It waited on a channel layer that was restarted or replaced."""
    UNANSWERED = "unanswered"
    """A worker took it and neither ended it nor said that it is busy."""
    GONE = "gone"
    """Its peer had left."""
    SLOW = "slow"
    """Its peer takes less than is sent to it."""
    UNROUTED = "unrouted"
    """No route matches it."""
    FAILED = "failed"
    """Its consumer, or the code that should put it on the wire, raised."""
    FILTERED = "filtered"
    """A filter of a plugin dropped it."""
    UNSUPPORTED = "unsupported"
    """The protocol cannot carry it."""
    LIMIT = "limit"
    """A limit of `LIMITS` stands before it."""
    VERSION = "version"
    """A record of a version that this process cannot read."""
    INVALID = "invalid"
    """A record or content that cannot be read."""


class Named(typing.Protocol):
    """A peer that log lines can name."""

    def log_fields(self) -> Mapping[str, str]:
        """Return what a line about it carries; keys are those of `fairway.logs`."""


class Drops:
    """Counters of dropped messages of one process; any thread may use them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._logged: dict[tuple[str, str], tuple[float, int]] = {}

    def add(
        self,
        channel: str,
        reason: str,
        count: int = 1,
        detail: str = "",
        *,
        peer: Named | None = None,
    ) -> None:
        """Count dropped messages, and log them unless that was done just now.

        A mailbox counts as one channel: its clients do not become keys.

        Args:
            peer: whose message it was. A line names the last one only.
        """
        key = (channel.partition("!")[0].partition("?")[0], str(reason))
        now = time.monotonic()
        with self._lock:
            if len(self._counts) >= _MAX_KEYS and key not in self._counts:
                key = ("(others)", str(reason))
            self._counts[key] += count
            last, hidden = self._logged.get(key, (-_LOG_EVERY, 0))
            if now - last < _LOG_EVERY:
                self._logged[key] = (last, hidden + count)
                return
            self._logged[key] = (now, 0)
        log.warning(
            "dropped %d message(s) on %s: %s%s",
            count + hidden,
            key[0],
            key[1],
            f" ({detail})" if detail else "",
            extra=None if peer is None else peer.log_fields(),
        )

    def counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many messages were dropped, by (channel, reason)."""
        with self._lock:
            return dict(self._counts)
