"""How often something may happen to each of many numbers, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["Pace"]

_MOST = 10_000


class Pace:
    """Spends from an allowance for each key; time is an argument.

    Args:
        per_second: what each key gets.
        burst: seconds whose allowance may be spent at once.
        most: keys that are kept; beyond that the one that waits longest is forgotten.
    """

    def __init__(self, per_second: float, burst: float, most: int = _MOST) -> None:
        self._per_second = per_second
        self._burst = burst
        self._most = most
        self._used_until: OrderedDict[str, float] = OrderedDict()

    def wait(self, key: str, now: float) -> float:
        """Return the seconds until a key may spend again; 0.0 for now."""
        return max(0.0, self._used_until.get(key, now) - now - self._burst)

    def spend(self, key: str, now: float, amount: float = 1.0) -> None:
        """Take from a key's allowance, which may go below nothing."""
        used = max(now, self._used_until.pop(key, now)) + amount / self._per_second
        self._used_until[key] = used
        if len(self._used_until) > self._most:
            self._used_until.popitem(last=False)
