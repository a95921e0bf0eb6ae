"""Waits for something to become true, instead of sleeping."""

import time
from collections.abc import Callable


def wait_until(predicate: Callable[[], object], timeout: float = 10.0) -> None:
    """Return as soon as `predicate` is true.

    Raises:
        AssertionError: it did not become true within `timeout` seconds.
    """
    end = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() > end:
            raise AssertionError(f"not true within {timeout} s: {predicate}")
        time.sleep(0.005)
