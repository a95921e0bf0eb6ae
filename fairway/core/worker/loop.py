"""The queue loop: one thread receives, others consume.

It takes only while fewer messages wait than there are threads, so that little stands
behind a busy process. A record is consumed by one thread, and so are its events.
"""

from __future__ import annotations

import threading
import time
import typing
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from fairway.core.bus.layer import Delivery, Receiver
from fairway.core.worker.flush import Out
from fairway.core.worker.pace import Pace

__all__ = ["Begins", "Consume", "Loop", "MakeLoop", "QueueLoop"]

Begins = Callable[[int], None]
"""Told the kind of a consumer that is about to run; see `Pace`."""


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


class Loop(typing.Protocol):
    """Takes records and has them consumed; its methods are called in this order."""

    taking: bool
    """Whether records are being taken, that is, not all threads are busy."""

    def receive(self) -> None:
        """Take records in this thread until `stop`.

        Raises:
            BaseException: what was not a consumer's.
        """

    def stop(self) -> None:
        """Take no more; any thread, not a signal handler."""

    def drain(self, grace: float) -> list[Delivery]:
        """Consume what was taken for up to `grace` seconds; return what is left."""


class MakeLoop(typing.Protocol):
    """A class of loops."""

    SPARE: int
    """How many threads there are beside those that may consume."""

    def __call__(
        self,
        receiver: Receiver,
        crew: Sequence[Consume],
        *,
        pace: Pace,
        out: Out,
        sieve: Callable[[Delivery], bool],
        name: str = "worker",
    ) -> Loop:
        """Make one.

        Args:
            receiver: where records come from.
            crew: one for each thread.
            pace: how long consumers usually run, and how many records to take.
            out: where what they send leaves.
            sieve: returns True for a record that it dealt with itself; called in the
                thread that takes.
        """


class QueueLoop:
    """See the module; `Loop` says what the methods promise."""

    SPARE = 0

    def __init__(
        self,
        receiver: Receiver,
        crew: Sequence[Consume],
        *,
        pace: Pace,
        out: Out,
        sieve: Callable[[Delivery], bool],
        name: str = "worker",
    ) -> None:
        self.taking = True
        self._receiver = receiver
        self._pace = pace
        self._out = out
        self._sieve = sieve
        self._queue: SimpleQueue[Delivery | None] = SimpleQueue()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._stopping = False
        self._error: BaseException | None = None
        self._busy = [False] * len(crew)
        # Daemons: a consumer that never ends must not keep the process.
        self._threads = [
            threading.Thread(
                target=self._run, args=(index, one), name=f"{name}-{index}", daemon=True
            )
            for index, one in enumerate(crew)
        ]

    def receive(self) -> None:
        """Take records until `stop`; raises what was not a consumer's."""
        for thread in self._threads:
            thread.start()
        count = len(self._threads)
        try:
            while not self._stopping:
                idle = count - sum(self._busy)
                for delivery in self._receiver.take(self._pace.limit(idle)):
                    if not self._sieve(delivery):
                        self._queue.put(delivery)
                self._wait_for_room(count)
        finally:
            self._dismiss()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Take no more; any thread, not a signal handler."""
        self._stopping = True
        self._receiver.wake()
        self._bell.put(None)

    def drain(self, grace: float) -> list[Delivery]:
        """Consume what was taken for up to `grace` seconds; return what is left."""
        end = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        left = []
        while True:
            try:
                delivery = self._queue.get_nowait()
            except Empty:
                break
            if delivery is not None:
                left.append(delivery)
        # What was just taken out were ends for threads that outlive the grace, too.
        self._dismiss()
        if self._error is not None:
            raise self._error
        return left

    def _dismiss(self) -> None:
        """Let each thread end once it has consumed what was taken before."""
        for _ in self._threads:
            self._queue.put(None)

    def _wait_for_room(self, most: int) -> None:
        # Set before looking, and read by the threads after they took: whichever comes
        # last sees the other.
        while self._queue.qsize() >= most and not self._stopping:
            self.taking = False
            if self._queue.qsize() >= most:
                self._bell.get()
        self.taking = True

    def _run(self, index: int, one: Consume) -> None:
        count = len(self._threads)
        try:
            while (delivery := self._queue.get()) is not None:
                self._busy[index] = True
                if not self.taking and self._queue.qsize() < count:
                    self._bell.put(None)
                one.consume(delivery, self._begins)
                self._out.flush()
                self._busy[index] = False
        except BaseException as error:
            # A thread that just ended would be a silent stop.
            self._error = error
            self.stop()
        finally:
            one.leave()

    def _begins(self, kind: int) -> None:
        # A ready reply does not wait for a consumer that is usually long.
        if self._pace.is_long(kind):
            self._out.flush()
