"""Pace: how long consumers usually run, and so how many messages to take at once."""

from __future__ import annotations

__all__ = ["HORIZON", "SHORT", "Pace"]

MOST = 64
"""Messages in one take."""
HORIZON = 0.002
"""Seconds of work that may be taken on top of what idle threads start at once, and
that a ready reply may wait."""
SHORT = 0.0005
"""Seconds up to which starting another thread costs more than waiting for this one."""
_CUT = 0.005
"""Seconds above which it is all the same how long a consumer ran."""
_WEIGHT = 1 / 16
"""Of one consumer's time in the mean."""
_KINDS = 1024
"""Consumers and paths are told apart in so many kinds; paths are a client's choice."""


class Pace:
    """The durations of consumers, all together and by kind.

    Threads write it without a lock: a lost update changes a guess by a sixteenth.
    """

    __slots__ = ("_usual", "mean")

    def __init__(self) -> None:
        self.mean = HORIZON
        """Seconds."""
        self._usual = [0.0] * _KINDS

    def add(self, kind: int, seconds: float) -> None:
        """Tell how long a consumer ran.

        Args:
            kind: any number that stands for what the message asks for.
        """
        seconds = seconds if seconds < _CUT else _CUT
        self.mean += (seconds - self.mean) * _WEIGHT
        usual, kind = self._usual, kind % _KINDS
        # Down at once, up slowly: waiting for the interpreter makes nobody long.
        more = seconds - usual[kind]
        usual[kind] += more if more < 0 else more * _WEIGHT

    def usual(self, kind: int) -> float:
        """Return for how many seconds consumers of this kind usually run; 0 if unknown.

        What they need at least, rather: see `add`.
        """
        return self._usual[kind % _KINDS]

    def limit(self, idle: int) -> int:
        """Return how many messages to take while `idle` threads wait for one.

        What is taken beyond them stands in this process while others may be free.
        """
        return min(MOST, max(1, idle, int(HORIZON / self.mean) if self.mean else MOST))
