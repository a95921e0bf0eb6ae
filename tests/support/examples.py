"""How many examples of a property to try where the default is too few or too many."""

from hypothesis import settings

__all__ = ["examples"]

_USUAL = 100
_FEWEST = 10


def examples(count: int) -> int:
    """Return `count`, or the part of it that the profile tries of the usual 100."""
    return max(_FEWEST, count * settings().max_examples // _USUAL)
