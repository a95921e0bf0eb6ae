"""The queue loop: one thread receives, others consume.

It takes only while fewer messages wait than there are threads, so that little stands
behind a busy process. A record is consumed by one thread, and so are its events.
"""

from __future__ import annotations

from queue import Empty, SimpleQueue

from fairway.core.bus.layer import Delivery
from fairway.core.worker.loop import Consume, Loop, LoopParts
from fairway.core.worker.pace import SHORT

__all__ = ["QueueLoop"]


class QueueLoop(Loop):
    """See the module."""

    def __init__(self, parts: LoopParts) -> None:
        super().__init__(parts)
        self._queue: SimpleQueue[Delivery | None] = SimpleQueue()
        self._busy: set[Consume] = set()

    def _receive(self) -> None:
        try:
            while not self._stopping.is_set():
                idle = len(self._threads) - len(self._busy)
                taken = self._receiver.take(self._pace.limit(idle))
                for delivery in self._sieve(taken):
                    self._queue.put(delivery)
                self._wait_for_room()
        finally:
            self._dismiss()

    def _serve(self, me: Consume) -> None:
        while (delivery := self._queue.get()) is not None:
            self._busy.add(me)
            self._tell_room()
            me.consume(delivery, self._begins)
            self._out.flush()
            self._busy.discard(me)

    def _has_room(self) -> bool:
        return self._queue.qsize() < len(self._threads)

    def _leave_behind(self) -> list[Delivery]:
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
        return left

    def _dismiss(self) -> None:
        """Let each thread end once it has consumed what was taken before."""
        for _ in self._threads:
            self._queue.put(None)

    def _begins(self, usual: float) -> None:
        # A ready reply does not wait for a consumer that is usually long.
        if usual > SHORT:
            self._out.flush()
