"""Says once per process that a server is away, and once that it is back."""

from __future__ import annotations

import logging
import random
import threading
import time

__all__ = ["Backoff", "Outage"]

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

    def begin(self, reason: str, good_until: float) -> None:
        """Note a failure.

        Args:
            good_until: when whoever failed was last known to work, in seconds of
                `time.monotonic()`; a failure that began before the last outage was over
                belongs to that one.
        """
        with self._lock:
            if self._since is not None or good_until < self._over:
                return
            self._since = time.monotonic()
        log.error("channel layer %s %s: %s", self._url, self._began, reason)

    def end(self) -> None:
        """Note a success."""
        if self._since is None:
            return
        with self._lock:
            if self._since is None:
                return
            self._over = time.monotonic()
            lasted, self._since = self._over - self._since, None
        log.warning("channel layer %s %s after %.1f s", self._url, self._ended, lasted)


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
