"""An event loop with Twisted's reactor in a background thread, shared by all tests.

Twisted has one reactor per process, so there is one such loop per process, too.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, TypeVar

import pytest

from fairway.interfaces.reactor import install_reactor, new_loop
from tests.support.waiting import wait_until

__all__ = ["LoopThread", "loop_thread", "wait_until"]

T = TypeVar("T")

TIMEOUT = 20.0
"""Seconds; generous, because the machine may be busy."""


class LoopThread:
    """Runs coroutines and calls in a loop of its own."""

    def __init__(self) -> None:
        self.loop = new_loop()
        self._thread = threading.Thread(
            target=self._run, name="fairway-loop", daemon=True
        )
        self._thread.start()
        self.call(lambda: install_reactor(self.loop))

    def run(self, work: Coroutine[Any, Any, T], timeout: float = TIMEOUT) -> T:
        """Run a coroutine in the loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def call(self, call: Callable[[], T], timeout: float = TIMEOUT) -> T:
        """Make a call in the loop and return its result."""

        async def work() -> T:
            return call()

        return self.run(work(), timeout)

    def close(self) -> None:
        """End the loop; only when the process ends."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(TIMEOUT)
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


@cache
def _shared() -> LoopThread:
    shared = LoopThread()
    atexit.register(shared.close)
    return shared


@pytest.fixture(scope="session")
def loop_thread() -> LoopThread:
    """Return the loop of this process; import the fixture into your conftest.py."""
    return _shared()
