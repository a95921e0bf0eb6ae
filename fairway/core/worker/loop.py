"""Loop: takes records and has threads consume them; what all loops share."""

from __future__ import annotations

import threading
import time
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from msgspec import Struct

from fairway.core.bus.layer import Delivery, Receiver
from fairway.core.worker.flush import Out
from fairway.core.worker.pace import Pace

__all__ = ["Begins", "Consume", "Loop", "LoopParts"]

Begins = Callable[[float], None]
"""Told of a consumer that is about to run how long it usually does; see `Pace`."""


class Consume(typing.Protocol):
    """What one thread of a loop runs."""

    def consume(self, delivery: Delivery, begins: Begins) -> None:
        """Consume a record; what is sent is added to what is ready to leave.

        What it raises ends the loop: it is not the consumer's.

        Args:
            begins: called before each of the record's consumers.
        """

    def leave(self) -> None:
        """The thread ends; called in it."""


class LoopParts(Struct, frozen=True, kw_only=True):
    """What a loop works with."""

    receiver: Receiver
    """Where records come from."""
    crew: Sequence[Consume]
    """One for each thread."""
    pace: Pace
    """How long consumers usually run, and how many records to take."""
    out: Out
    """Where what they send leaves."""
    sieve: Callable[[list[Delivery]], list[Delivery]]
    """Returns what it leaves to consumers of what was taken; called in the thread that
    takes."""
    name: str = "worker"
    """Of its threads, with a number behind."""


class Loop(ABC):
    """Takes records and has them consumed: `receive`, `stop`, then `drain`."""

    SPARE = 0
    """How many threads there are beside those that may consume."""

    def __init__(self, parts: LoopParts) -> None:
        self.taking = True
        """Whether records are being taken, that is, not all threads are busy."""
        self._receiver = parts.receiver
        self._pace = parts.pace
        self._out = parts.out
        self._sieve = parts.sieve
        self._stopping = threading.Event()
        self._room_bell: SimpleQueue[None] = SimpleQueue()
        self._error: BaseException | None = None
        # Daemons: a consumer that never ends must not keep the process.
        self._threads = [
            threading.Thread(
                target=self._run, args=(one,), name=f"{parts.name}-{index}", daemon=True
            )
            for index, one in enumerate(parts.crew)
        ]

    def receive(self) -> None:
        """Have records taken until `stop`.

        Raises:
            BaseException: what was not a consumer's.
        """
        for thread in self._threads:
            thread.start()
        self._receive()
        self._check()

    def stop(self) -> None:
        """Take no more; any thread, not a signal handler."""
        self._stopping.set()
        self._receiver.wake()
        self._room_bell.put(None)

    def drain(self, grace: float) -> list[Delivery]:
        """Consume what was taken for up to `grace` seconds; return what is left.

        Raises:
            BaseException: what was not a consumer's.
        """
        end = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        left = self._leave_behind()
        self._check()
        return left

    @abstractmethod
    def _receive(self) -> None:
        """Return when no more is taken; the threads run."""

    @abstractmethod
    def _serve(self, me: Consume) -> None:
        """Do what a thread does until no more is taken, and what was is consumed."""

    @abstractmethod
    def _has_room(self) -> bool:
        """Return whether there is a thread for what would be taken."""

    @abstractmethod
    def _leave_behind(self) -> list[Delivery]:
        """Take back what no thread has begun."""

    def _retire(self, me: Consume) -> None:
        """A thread ends, however it does."""
        me.leave()

    def _wait_for_room(self) -> None:
        # Set before looking, and read by who makes room after it did: whichever comes
        # last sees the other.
        while not self._has_room() and not self._stopping.is_set():
            self.taking = False
            if not self._has_room():
                self._room_bell.get()
        self.taking = True

    def _tell_room(self) -> None:
        """Wake who waits for room, if there is some."""
        if not self.taking and self._has_room():
            self._room_bell.put(None)

    def _run(self, me: Consume) -> None:
        try:
            self._serve(me)
        except BaseException as error:
            # A thread that just ended would be a silent stop.
            self._error = error
            self.stop()
        finally:
            self._retire(me)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
