"""What only the garbage collector would free."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["without_collector"]


@contextmanager
def without_collector(least: int) -> Iterator[Callable[[], list[str]]]:
    """Switch the collector off for a block.

    Yields:
        A function that names the classes of fairway of which at least so many more
        instances exist than in the beginning.
    """
    gc.collect()
    gc.disable()
    try:
        before = _census()
        yield lambda: [
            name for name, count in (_census() - before).items() if count >= least
        ]
    finally:
        gc.enable()


def _census() -> Counter[str]:
    classes = map(type, gc.get_objects())
    names = (f"{each.__module__}.{each.__qualname__}" for each in classes)
    return Counter(name for name in names if name.startswith("fairway."))
