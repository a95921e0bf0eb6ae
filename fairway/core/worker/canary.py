"""The canary: a message of a worker to itself, to see that it still receives. Pure."""

from __future__ import annotations

from enum import Enum

__all__ = ["Canary", "Step"]

EVERY = 5.0
"""Seconds between two canaries."""
PATIENCE = 10.0
"""Seconds that one may be on its way."""


class Step(Enum):
    """What the worker does about its canary."""

    NOTHING = "nothing"
    SEND = "send"
    RESUBSCRIBE = "resubscribe"


class Canary:
    """Whether messages arrive; the time is seconds of any steady clock."""

    def __init__(self) -> None:
        self.ready = False
        """Whether the last canary came back in time."""
        self._sent: float | None = None
        self._due = float("-inf")

    def tick(self, now: float, *, taking: bool) -> Step:
        """Return what to do; call it every second or so.

        Args:
            taking: whether messages are taken; while all threads are busy, a canary
                that stays out says nothing.
        """
        if not taking:
            self._sent = None
            return Step.NOTHING
        if self._sent is not None:
            if now - self._sent < PATIENCE:
                return Step.NOTHING
            self.ready = False
            self._sent = None
            self._due = now
            return Step.RESUBSCRIBE
        if now < self._due:
            return Step.NOTHING
        self._sent = now
        self._due = now + EVERY
        return Step.SEND

    def heard(self) -> None:
        """A canary came back."""
        self.ready = True
        self._sent = None
