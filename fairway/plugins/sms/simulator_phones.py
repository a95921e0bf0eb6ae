"""What the simulated phones hold: the last texts of the last phones, and no more."""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

__all__ = ["Phones", "Text"]


class Text(Struct, kw_only=True):
    """One text, as a phone shows it."""

    n: int
    """Its number, counted from 1; unique while the process lives."""
    phone: str
    ours: str
    """The number or name of the site's that it went to, or came from."""
    incoming: bool
    """Whether the phone got it; else it was typed there."""
    text: str
    media: tuple[str, ...] = ()
    at: str
    """When, as ISO 8601 writes it."""
    status: str = "sent"


class _Phone:
    def __init__(self) -> None:
        self.texts: OrderedDict[int, Text] = OrderedDict()
        self.reachable = True


class Phones:
    """Phones by number; the one that was used longest ago is forgotten first.

    Args:
        most_phones: phones that are kept.
        most_texts: texts that are kept of each.
    """

    def __init__(self, most_phones: int = 100, most_texts: int = 100) -> None:
        self._phones: OrderedDict[str, _Phone] = OrderedDict()
        self._most_phones = most_phones
        self._most_texts = most_texts
        self._count = 0

    def next_number(self) -> int:
        """Return the number of the next text."""
        self._count += 1
        return self._count

    def add(self, text: Text) -> None:
        """Keep a text."""
        texts = self._phone(text.phone).texts
        texts[text.n] = text
        while len(texts) > self._most_texts:
            texts.popitem(last=False)

    def texts(self, phone: str) -> list[Text]:
        """Return what a phone shows, the oldest first."""
        found = self._phones.get(phone)
        return list(found.texts.values()) if found is not None else []

    def is_reachable(self, phone: str) -> bool:
        """Return whether a phone is switched on; one that nobody knows is."""
        found = self._phones.get(phone)
        return found is None or found.reachable

    def switch(self, phone: str, reachable: bool) -> None:
        """Switch a phone on or off."""
        self._phone(phone).reachable = reachable

    def _phone(self, number: str) -> _Phone:
        phone = self._phones.setdefault(number, _Phone())
        self._phones.move_to_end(number)
        while len(self._phones) > self._most_phones:
            self._phones.popitem(last=False)
        return phone
