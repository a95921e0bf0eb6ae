"""Waits for something to become true, instead of sleeping."""

import time
from collections.abc import Callable

__all__ = ["wait_until"]

_TIMEOUT = 20.0
"""Seconds; generous, because machines may be busy."""


def wait_until(
    predicate: Callable[[], object], timeout: float = _TIMEOUT, what: str = ""
) -> None:
    """Return as soon as `predicate` is true.

    Args:
        what: what is waited for, for the text of the error.

    Raises:
        AssertionError: it did not become true within `timeout` seconds.
    """
    end = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() > end:
            raise AssertionError(f"{what or predicate}: not within {timeout:g} s")
        time.sleep(0.005)
