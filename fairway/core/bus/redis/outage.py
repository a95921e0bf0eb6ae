"""Says per process that a server is away, why, and once that it is back."""

from __future__ import annotations

import logging
import random
import threading
import time

__all__ = ["Backoff", "Outage"]

_MOST_REASONS = 5
"""Reasons of one outage that are logged, each once."""

log = logging.getLogger("fairway.core.bus.redis")


class Outage:
    """The state of one server as all connections of a process see it together.

    Args:
        began: what is logged when it begins, such as "is unavailable".
        ended: what is logged when it is over.
    """

    def __init__(self, url: str, began: str, ended: str) -> None:
        self._url = url
        self._began = began
        self._ended = ended
        self._lock = threading.Lock()
        self._since: float | None = None
        self._over = float("-inf")
        self._reasons: set[str] = set()
        self._unanswered = 0

    def begin(self, reason: str, good_until: float) -> None:
        """Note a failure.

        Args:
            good_until: when whoever failed was last known to work, in seconds of
                `time.monotonic()`; a failure that began before the last outage was over
                belongs to that one.
        """
        with self._lock:
            if self._since is None:
                if good_until < self._over:
                    return
                self._since = time.monotonic()
                self._reasons = {reason}
                changed = ""
            elif reason in self._reasons or len(self._reasons) == _MOST_REASONS:
                return
            else:
                self._reasons.add(reason)
                changed = ", now"
        began = self._began + changed
        log.error("channel layer %s %s: %s", self._url, began, reason)

    def unanswered(self, count: int) -> None:
        """Note operations that were written without an answer: told when it ends."""
        with self._lock:
            self._unanswered += count

    def end(self) -> None:
        """Note a success."""
        if self._since is None:
            return
        with self._lock:
            if self._since is None:
                return
            self._over = time.monotonic()
            lasted, self._since = self._over - self._since, None
            unanswered, self._unanswered = self._unanswered, 0
        lost = f"; {unanswered} operations had no answer" if unanswered else ""
        log.warning(
            "channel layer %s %s after %.1f s%s", self._url, self._ended, lasted, lost
        )


class Backoff:
    """How long to wait before the next attempt: longer each time, with jitter."""

    FIRST = 0.05
    LONGEST = 2.0

    def __init__(self) -> None:
        self._next = self.FIRST

    def wait(self) -> float:
        """Return the seconds to wait."""
        longest, self._next = self._next, min(self._next * 2, self.LONGEST)
        return longest * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin with the shortest again."""
        self._next = self.FIRST
