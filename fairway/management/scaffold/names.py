"""Names of plugins: which are allowed, which are taken, and what to take instead."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Collection, Mapping

__all__ = ["LONGEST", "complaint", "package_of"]

LONGEST = 20
_VALID = re.compile(rf"[a-z][a-z0-9]{{1,{LONGEST - 1}}}")
_RESERVED = {
    "core": "fairway itself",
    "runserver": "fairway itself",
    "shared": "the channels of shared peers",
    "status": "fairway itself",
}


def package_of(name: str) -> str:
    """Return the name of the Python package of a plugin."""
    return f"fairway_{name}"


def complaint(name: str, taken: Mapping[str, str]) -> str | None:
    """Return what is wrong with a name, with the nearest one that can be had.

    Args:
        taken: names of plugins that exist, and whose they are.
    """
    owners = {**taken, **_RESERVED}
    if not _VALID.fullmatch(name):
        reason = (
            f"{name!r} is no name for a plugin: it must be a word of 2 to {LONGEST} "
            "lower-case letters and digits that begins with a letter"
        )
    elif name in owners:
        reason = f"{name!r} is taken by {owners[name]}"
    elif importlib.util.find_spec(package_of(name)) is not None:
        reason = f"{name!r} is taken: there is a package {package_of(name)!r}"
    else:
        return None
    return f"{reason}. {_nearest(name, owners)!r} can be had."


def _nearest(name: str, taken: Collection[str]) -> str:
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    word = re.sub(r"^[0-9]+", "", letters)[:LONGEST]
    if len(word) < 2:
        word = f"my{letters}"[:LONGEST] if letters else "myprotocol"
    number = 1
    found = word if word not in taken else f"my{word}"[:LONGEST]
    while found in taken or importlib.util.find_spec(package_of(found)) is not None:
        number += 1
        found = f"{word[: LONGEST - 4]}{number}"
    return found
