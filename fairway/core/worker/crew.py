"""The crew loop: a leader takes and consumes; who would keep it leaves the lead.

One thread leads: it takes a batch and runs short consumers itself, so that most
messages change no thread. Before a consumer that usually runs for long it hands the
lead to the heir. The heir watches: when a consumer runs for longer than was expected,
it sends the replies that are ready and takes over the lead and the rest of the batch.

There is one thread more than may consume, so that somebody watches even then. The
leader takes only while that is so; what it took is finished by the watcher itself,
should it come to that. With `threads` = 1 the watcher sees to replies only.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue

from fairway.core.bus.layer import Delivery, Receiver
from fairway.core.worker.flush import Out
from fairway.core.worker.loop import Consume
from fairway.core.worker.pace import HORIZON, Pace

__all__ = ["CrewLoop"]

_ALARM = HORIZON / 2
"""Seconds after which the heir takes over from a leader that consumes. A reply may
have been ready for as long again when that began: together what it may wait."""
_QUIET = 10
"""Looks at a leader that does not consume, before the heir sleeps until it does."""


class CrewLoop:
    """See the module; `Loop` says what the methods promise."""

    SPARE = 1

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
        self._takes_over = len(crew) > 1 + self.SPARE
        # The leader's own; whoever becomes the leader goes on with it.
        self._batch: deque[Delivery] = deque()
        # Guards the three below. Who leads, and whether its consumer has ended, is one
        # decision: otherwise two might lead.
        self._mutex = threading.Lock()
        self._leader: Consume | None = None
        self._started = 0.0
        self._followers = 0
        # Followers queue up for it; who has it is the heir.
        self._heirship = threading.Lock()
        self._heir_bell: SimpleQueue[None] = SimpleQueue()
        self._asleep = False
        self._room_bell: SimpleQueue[None] = SimpleQueue()
        self._take_line = threading.Lock()
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        # Daemons: a consumer that never ends must not keep the process.
        self._threads = [
            threading.Thread(
                target=self._run, args=(one,), name=f"{name}-{index}", daemon=True
            )
            for index, one in enumerate(crew)
        ]

    def receive(self) -> None:
        """Have records taken until `stop`; raises what was not a consumer's."""
        for thread in self._threads:
            thread.start()
        self._stopping.wait()
        # A take that was under way has ended once its line is free; none follows.
        with self._take_line:
            pass
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Take no more; any thread, not a signal handler."""
        self._stopping.set()
        self._receiver.wake()
        self._room_bell.put(None)

    def drain(self, grace: float) -> list[Delivery]:
        """Consume what was taken for up to `grace` seconds; return what is left."""
        end = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        left = []
        with suppress(IndexError):
            while True:
                left.append(self._batch.popleft())
        if self._error is not None:
            raise self._error
        return left

    def _run(self, me: Consume) -> None:
        try:
            while True:
                self._follow(me)
                if not self._lead(me):
                    break
        except BaseException as error:
            # A thread that just ended would be a silent stop.
            self._error = error
            self.stop()
        finally:
            self._resign(me)
            me.leave()

    # Following.

    def _follow(self, me: Consume) -> None:
        """Wait until this thread leads."""
        with self._mutex:
            self._followers += 1
        if not self.taking:
            self._room_bell.put(None)
        with self._heirship:
            quiet = 0
            while not self._succeeds(me):
                started = self._started
                if not self._watch(started, asleep=quiet > _QUIET):
                    quiet = 0
                elif not started:
                    quiet += 1
                elif self._started == started:
                    quiet = 0
                    self._out.flush()
                    if self._takes_over and self._succeeds(me, started):
                        break

    def _watch(self, started: float, *, asleep: bool) -> bool:
        """Wait for the bell, or until it is time to look; return whether it is."""
        if asleep:
            # Set before looking, and read by the leader after it began: whichever
            # comes last sees the other.
            self._asleep = True
            if not self._started:
                self._heir_bell.get()
            self._asleep = False
            return False
        wait = started + _ALARM - time.monotonic() if started else _ALARM
        try:
            # What has been watched for long is looked at now and then.
            self._heir_bell.get(timeout=wait if wait > 0 else _ALARM)
        except Empty:
            return True
        return False

    def _succeeds(self, me: Consume, started: float | None = None) -> bool:
        """Become the leader if there is none, or it has consumed since `started`."""
        with self._mutex:
            if self._leader is not None and (
                started is None or self._started != started
            ):
                return False
            self._leader = me
            self._started = 0.0
            self._followers -= 1
            return True

    # Leading.

    def _lead(self, me: Consume) -> bool:
        """Take and consume; returns whether to follow another, False at the end."""
        begins = partial(self._begins, me)
        while True:
            try:
                delivery = self._batch.popleft()
            except IndexError:
                if not self._take():
                    return False
                continue
            me.consume(delivery, begins)
            with self._mutex:
                leads = self._leader is me
                self._started = 0.0 if leads else self._started
            if not leads:
                self._out.flush()
                return True
            if self._out.age() > _ALARM:
                self._out.flush()

    def _take(self) -> bool:
        """Send what is ready and fill the batch; returns False at the end of taking."""
        if not self._followers:
            self._out.flush()
            self._wait_for_room()
        with self._take_line:
            stopping = self._stopping.is_set()
            if not stopping:
                limit = self._pace.limit(self._followers)
                taken = self._out.flush_and_take(self._receiver, limit)
                self._batch.extend(one for one in taken if not self._sieve(one))
        if stopping:
            self._out.flush()
        return not stopping

    def _wait_for_room(self) -> None:
        # Set before looking, and read by who comes back after it was counted.
        while not self._followers and not self._stopping.is_set():
            self.taking = False
            if not self._followers:
                self._room_bell.get()
        self.taking = True

    def _begins(self, me: Consume, kind: int) -> None:
        """A consumer is about to run; called by the thread that will run it."""
        is_long = self._pace.is_long(kind)
        if is_long and self._takes_over and self._followers > 1:
            self._resign(me)
        if is_long or self._leader is not me:
            # A ready reply does not wait for this one.
            self._out.flush()
        with self._mutex:
            if self._leader is not me:
                return
            # Read last: a flush is no running time.
            self._started = time.monotonic()
        if self._asleep:
            self._heir_bell.put(None)

    def _resign(self, me: Consume) -> None:
        """Leave the lead to the heir, unless another one has it already."""
        with self._mutex:
            if self._leader is not me:
                return
            self._leader = None
            self._started = 0.0
        self._heir_bell.put(None)
