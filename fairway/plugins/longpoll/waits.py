"""Time-outs without timers: who waits for equally long stands in one queue."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Waits"]

T = TypeVar("T")


class Waits(Generic[T]):
    """All that wait for the same time, in the order in which their time is over."""

    __slots__ = ("_due", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._due: dict[T, float] = {}

    def __len__(self) -> int:
        return len(self._due)

    def begin(self, one: T, now: float) -> None:
        """Let somebody wait, from now on."""
        self._due.pop(one, None)
        self._due[one] = now + self.seconds

    def end(self, one: T) -> None:
        """Let somebody wait no longer."""
        self._due.pop(one, None)

    def over(self, now: float) -> list[T]:
        """Return whose time is over; they wait no longer."""
        found: list[T] = []
        for one, due in self._due.items():
            if due > now:
                break
            found.append(one)
        for one in found:
            del self._due[one]
        return found
