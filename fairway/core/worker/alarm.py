"""An alarm that is put off without waking who waits for it.

Who watches a thread that works in short steps has nothing to do while each ends in
time. A wait with a timeout would end all the same, and take the interpreter from the
work to find that out. The kernel's timer is moved by a system call, and nobody wakes.
"""

from __future__ import annotations

import ctypes
import os
import time
import typing
import weakref
from contextlib import suppress
from queue import Empty, SimpleQueue

__all__ = ["Alarm", "PollingAlarm", "TimerAlarm"]

_MONOTONIC = 1
_ABSOLUTE = 1


class Alarm(typing.Protocol):
    """Goes off once each time that it was set; one thread waits for it."""

    at: float
    """When it goes off, in local time; 0 before the first time and once it went off."""

    def set(self, at: float) -> None:
        """Have it go off at a local time, and not when it was set for before.

        One thread at a time. A time that has passed is at once.
        """

    def wait(self) -> None:
        """Wait until it goes off; it may seem to when it did not.

        Then `at` is 0, even if it was set just now: so look whether to set it again.
        """


class TimerAlarm:
    """A timer of Linux, see timerfd_create(2); its clock is `time.monotonic`'s.

    Raises:
        OSError: the system has none left.
    """

    def __init__(self) -> None:
        self.at = 0.0
        # The calls are short: the interpreter is kept.
        self._libc = ctypes.PyDLL(None, use_errno=True)
        # Every how many seconds and nanoseconds, and first when.
        self._when = (ctypes.c_long * 4)()
        self._timer = self._libc.timerfd_create(_MONOTONIC, os.O_CLOEXEC)
        if self._timer < 0:
            raise OSError(ctypes.get_errno(), "there is no timer")
        weakref.finalize(self, os.close, self._timer)

    def set(self, at: float) -> None:
        """See `Alarm`."""
        self.at = at
        when, seconds = self._when, int(at)
        when[2] = seconds
        when[3] = int((at - seconds) * 1e9)
        self._libc.timerfd_settime(self._timer, _ABSOLUTE, when, None)

    def wait(self) -> None:
        """See `Alarm`."""
        os.read(self._timer, 8)
        self.at = 0.0


class PollingAlarm:
    """For other systems: a wait that ends too early goes on."""

    def __init__(self) -> None:
        self.at = 0.0
        self._bell: SimpleQueue[None] = SimpleQueue()

    def set(self, at: float) -> None:
        """See `Alarm`."""
        before, self.at = self.at, at
        # Who sleeps until later, or until it is set, is to look again.
        if at < before or not before:
            self._bell.put(None)

    def wait(self) -> None:
        """See `Alarm`."""
        while not (at := self.at) or at > time.monotonic():
            left = max(0.0, at - time.monotonic()) if at else None
            with suppress(Empty):
                self._bell.get(timeout=left)
        self.at = 0.0
