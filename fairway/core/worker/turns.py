"""Turns: how long a thread may compute before another one gets the interpreter.

Handing it over costs more than a short consumer does. Left alone, an event loop and a
worker in one process hand it over when they wait: the loop has read all that is there,
the worker has consumed all that it took. Only a consumer that may run for long has to
be interrupted, and while one runs, threads take turns quickly.
"""

from __future__ import annotations

import sys
import threading

__all__ = ["Turns"]


class Turns:
    """A context in which threads take turns quickly; any thread may enter it.

    Args:
        seconds: the interpreter's switch interval meanwhile; None never changes it.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._running = 0
        self._usual = 0.0

    def __enter__(self) -> None:
        """Begin something that may take long."""
        if self._seconds is None:
            return
        with self._lock:
            self._running += 1
            if self._running == 1:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(self._seconds)

    def __exit__(self, *error: object) -> None:
        """End it."""
        if self._seconds is None:
            return
        with self._lock:
            self._running -= 1
            if self._running == 0:
                sys.setswitchinterval(self._usual)
