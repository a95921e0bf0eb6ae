"""Phone numbers as ITU-T E.164 writes them: `+` and up to 15 digits."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["begins_like", "is_number", "is_prefix", "normalized"]

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")
_BETWEEN = re.compile(r"(?<=[0-9+])[ \u00a0.\-/()]{1,3}(?=[0-9])")


def is_number(text: str) -> bool:
    """Return whether a text is a number with its country's code, and nothing else."""
    return _NUMBER.fullmatch(text) is not None


def is_prefix(text: str) -> bool:
    """Return whether a text is the beginning of a number, from `+1` on."""
    return _PREFIX.fullmatch(text) is not None


def normalized(text: str) -> str:
    """Return a number as E.164 writes it: `+46 (70) 123-45 67` is `+46701234567`.

    An international call's `00` stands for `+`. Numbers without a country's code are
    none: which country they mean is not known.

    Raises:
        ValueError: it is no such number.
    """
    bare = _BETWEEN.sub("", text.strip())
    if bare.startswith("00"):
        bare = f"+{bare[2:]}"
    if not is_number(bare):
        raise ValueError(f"{text!r} is no phone number such as '+46701234567'")
    return bare


def begins_like(number: str, ours: Sequence[str]) -> str | None:
    """Return the one of ours that shares most digits at the beginning with a number.

    The first of them when several do, None when there is none.
    """
    return max(ours, key=lambda one: _shared_digits(number, one), default=None)


def _shared_digits(number: str, other: str) -> int:
    count = 0
    for one, two in zip(number, other, strict=False):
        if one != two:
            break
        count += 1
    return count
