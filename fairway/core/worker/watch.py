"""The thread beside a worker's loop: orders to stop, canaries, signs of life."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue

from fairway.core.bus.layer import Receiver
from fairway.core.bus.operations import Send
from fairway.core.content import encode_content
from fairway.core.worker.canary import PATIENCE, Canary, Step
from fairway.core.worker.flush import Out
from fairway.core.worker.loop import Loop
from fairway.core.worker.records import RecordRunner

__all__ = ["Watch"]

_TICK = 1.0
"""Seconds between two looks."""
_CANARY = encode_content({})


class Watch:
    """Stops a loop when told to, and looks after it until then.

    Args:
        channel: a channel of the receiver that is nobody else's, for canaries.
    """

    def __init__(
        self,
        loop: Loop,
        receiver: Receiver,
        *,
        canary: Canary,
        channel: str,
        runners: Sequence[RecordRunner],
        out: Out,
        name: str,
    ) -> None:
        self.grace = 0.0
        """What the order to stop said; seconds."""
        self.error: BaseException | None = None
        """What ended this thread, if anything did."""
        self.canary = canary
        self._loop = loop
        self._receiver = receiver
        self._channel = channel
        self._runners = runners
        self._out = out
        self._stopping = False
        self._emptied = receiver.emptied
        # A signal handler may put into a SimpleQueue, but must not take a lock.
        self._orders: SimpleQueue[float | None] = SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, name=f"{name}-watch", daemon=True
        )

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Stop the loop; from any thread, or a signal handler."""
        self._orders.put(grace)

    def end(self) -> None:
        """Stop looking, once the loop has ended."""
        self._orders.put(None)

    def look(self, now: float) -> None:
        """Send what is due: signs of life, and a canary unless the loop stops."""
        if self._receiver.emptied != self._emptied:
            # Hosts give up what a restart has swallowed: say what was taken before.
            self._emptied = self._receiver.emptied
            signs = [runner.alive() for runner in self._runners]
        else:
            signs = [runner.busy(now) for runner in self._runners]
        self._out.add([one for one in signs if one is not None])
        if not self._stopping:
            self._send_canary(now)
        self._out.flush()

    def _run(self) -> None:
        try:
            self.look(time.monotonic())
            while True:
                try:
                    grace = self._orders.get(timeout=_TICK)
                except Empty:
                    self.look(time.monotonic())
                    continue
                if grace is None:
                    break
                self.grace = grace
                self._stopping = True
                self._loop.stop()
        except BaseException as error:
            self.error = error
            self._loop.stop()

    def _send_canary(self, now: float) -> None:
        match self.canary.tick(now, taking=self._loop.taking):
            case Step.SEND:
                self._out.add([Send(self._channel, _CANARY, PATIENCE)])
            case Step.RESUBSCRIBE:
                self._receiver.resubscribe()
            case Step.NOTHING:
                pass
