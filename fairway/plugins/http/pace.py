"""What a connection waits for, and for how long."""

from __future__ import annotations

from fairway.plugins.http.spec import HttpConfig

__all__ = ["LINGER", "LINGER_AT_MOST", "Phase", "Progress", "Rate", "times_of"]

LINGER = 2.0
"""Seconds of silence after which a connection on which everything is said is closed.
Closed at once it would be reset by what the client still sends, and the reset takes
an answer with it that the client did not read yet (RFC 9112 section 9.6)."""
LINGER_AT_MOST = 30.0
"""Seconds after which it is closed although the client still sends."""


class Phase:
    """What a connection waits for: numbers, for an enum's members cost a call each."""

    IDLE = 0
    """A request."""
    HEAD = 1
    """The rest of a head."""
    BODY = 2
    """The rest of a body."""
    DISK = 3
    """The body to be on disk."""
    ANSWER = 4
    """A worker's answer or its next part."""
    MOUNT = 5
    """Whatever a mount does."""
    LINGER = 6
    """The client to close a connection on which everything is said."""
    CLOSED = 7
    """Nothing, or the last bytes to be taken."""


def times_of(config: HttpConfig) -> tuple[float | None, ...]:
    """Return how long each phase may take, None for ever."""
    times: dict[int, float | None] = {
        Phase.IDLE: config.keep_alive,
        Phase.HEAD: config.header_timeout,
        Phase.BODY: config.body_timeout,
        Phase.DISK: config.answer_timeout,
        Phase.ANSWER: config.answer_timeout,
        Phase.MOUNT: None,
        Phase.LINGER: LINGER,
        Phase.CLOSED: None,
    }
    return tuple(times[phase] for phase in sorted(times))


class Rate:
    """How often something may happen: the leaky bucket as a meter (ITU-T I.371).

    Args:
        rate: times per second; a second's worth may happen at once.
    """

    __slots__ = ("_interval", "_used_until")

    def __init__(self, rate: float) -> None:
        self._interval = 1.0 / rate
        self._used_until = 0.0

    def take(self, now: float) -> float:
        """Count once; return the seconds to wait before the next, mostly 0.0."""
        used_until = self._used_until
        if used_until < now:
            used_until = now
        self._used_until = used_until = used_until + self._interval
        # Half of what may happen at once is there again then.
        over = used_until - now - 1.0
        return over + 0.5 if over > 0.0 else 0.0


class Progress:
    """Whether the client takes what is written to it.

    Args:
        time: seconds in which it must take some of it.
    """

    __slots__ = ("_taken", "_time", "_written", "due")

    def __init__(self, time: float) -> None:
        self.due: float | None = None
        """When to look, None when nothing was written since everything was taken."""
        self._time = time
        self._written = 0
        self._taken = 0

    def wrote(self, size: int, now: float) -> None:
        """Count bytes that were written."""
        if self.due is None:
            self._taken = self._written
            self.due = now + self._time
        self._written += size

    def is_stalled(self, now: float, backlog: int) -> bool:
        """Return whether it took nothing since the last look.

        Args:
            backlog: bytes that it did not take yet.
        """
        if self.due is None or self.due > now:
            return False
        if backlog <= 0:
            self.due = None
            return False
        taken = self._written - backlog
        stalled = taken <= self._taken
        self._taken = taken
        self.due = now + self._time
        return stalled
