"""Rules: what a route has become once it is compiled for one channel. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from fairway.core.content import Content

__all__ = ["Condition", "Consumer", "Rule", "match"]

Consumer: TypeAlias = Callable[..., Any]
"""Called with a Message and what named groups matched; its result is ignored."""


class Condition(Struct, frozen=True):
    """What one filter asks of one key."""

    key: str
    wanted: re.Pattern[str] | Any
    """A pattern that the value's text must start with, or the value itself."""
    cut: bool = False
    """Whether later conditions on the key see only what is left behind the match."""


class Rule(Struct, frozen=True):
    """The conditions under which a consumer gets a message, outermost first."""

    conditions: tuple[Condition, ...]
    consumer: Consumer
    label: str
    """The route as errors and logs show it."""

    def admits(self, content: Content) -> bool:
        """Return whether all conditions on keys that `content` has are met."""
        known = [one for one in self.conditions if one.key in content]
        return match(known, content) is not None

    def pattern(self, key: str) -> str:
        """Return the text of all patterns for a key, without their anchors."""
        return "".join(
            condition.wanted.pattern.strip("^$")
            for condition in self.conditions
            if condition.key == key and isinstance(condition.wanted, re.Pattern)
        )


def match(conditions: Sequence[Condition], content: Content) -> dict[str, str] | None:
    """Return what named groups matched, or None when a condition is not met."""
    found: dict[str, str] = {}
    rests: dict[str, str] = {}
    for condition in conditions:
        key, wanted = condition.key, condition.wanted
        value = rests[key] if key in rests else content.get(key)
        if not isinstance(wanted, re.Pattern):
            if value != wanted:
                return None
            continue
        if type(value) is not str and (value := _text(value)) is None:
            return None
        if (matched := wanted.match(value)) is None:
            return None
        if wanted.groups:
            groups = matched.groupdict()
            found |= {name: text for name, text in groups.items() if text is not None}
        if condition.cut:
            rests[key] = value[matched.end() :]
    return found


def _text(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, int | float):
        return str(value)
    return None
