"""What is remembered about numbers: who opted out, what was texted, what was spent.

Blocks as its store does. One lock serves a process: one server at a time sends.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from msgspec import Struct

from fairway.plugins.sms.keywords import START, STOP
from fairway.plugins.sms.mapping import GivenUp, silenced
from fairway.plugins.sms.numbers import begins_like, is_number
from fairway.plugins.sms.store import Store

__all__ = ["Permit", "Records"]

_DAY = 24 * 60 * 60
_DECADES = 50 * 365 * _DAY
"""An opt-out holds until it is taken back; a store wants a number of seconds."""
_YEAR = 365 * _DAY


class Permit(Struct, frozen=True):
    """Whether a text may leave, and from where."""

    sender: str = ""
    refused: GivenUp | None = None


class Records:
    """Remembers across restarts, in a store.

    Args:
        ours: the senders of the settings.
        daily_budget: segments, None for any number.
    """

    def __init__(
        self, store: Store, ours: Sequence[str], daily_budget: int | None
    ) -> None:
        self._store = store
        self._ours = ours
        self._budget = daily_budget
        self._lock = threading.Lock()

    def texted(self, number: str, to: str, keyword: str) -> bool:
        """Remember that a number texted one of ours, and honour its keyword.

        Returns:
            True when it opted out just now.
        """
        with self._lock:
            if [to] != self._ours and self._store.read(("texted", number)) != to:
                self._store.write(("texted", number), to, _YEAR)
            names = [("out", one, number) for one in silenced(to, self._ours)]
            if keyword == START:
                for name in names:
                    self._store.delete(name)
            if keyword != STOP:
                return False
            new = self._store.read(names[0]) is None
            for name in names:
                self._store.write(name, STOP, _DECADES)
            return new

    def permit(
        self, number: str, sender: str, segments: int, day: str, *, confirms: bool
    ) -> Permit:
        """Choose who texts a number, and spend the segments unless it must not be.

        Args:
            sender: the one that was asked for; "" for the one that fits.
            segments: 0 for a text that was paid for already.
            day: whose budget it is, such as `2026-11-21`.
            confirms: whether it tells a number that it has opted out.
        """
        with self._lock:
            chosen = self._choose(number, sender)
            if chosen is None:
                return Permit(refused=GivenUp.NO_SENDER)
            out = ("out", chosen, number)
            if not confirms and self._store.read(out) is not None:
                return Permit(refused=GivenUp.OPTED_OUT)
            if segments and self._budget is not None:
                name = ("spent", day)
                spent = (self._store.read(name) or 0) + segments
                if spent > self._budget:
                    return Permit(refused=GivenUp.OVER_BUDGET)
                self._store.write(name, spent, 2 * _DAY)
            return Permit(chosen)

    def _choose(self, number: str, sender: str) -> str | None:
        if sender in self._ours:
            return sender
        texted: str | None = self._store.read(("texted", number))
        if texted not in self._ours and any(map(is_number, self._ours)):
            texted = None  # it was one of ours once
        if sender:
            return sender if sender == texted or not self._ours else None
        return texted or begins_like(number, self._ours)
