"""Texts on their way out: one number's in order, several numbers' at the same time.

Knows neither vendors nor numbers: what it calls sends a text, and says by exception
that it did not leave. Time is the clock's.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from fairway.kit import Clock
from fairway.plugins.sms.mapping import GivenUp, Reply
from fairway.plugins.sms.pace import Pace
from fairway.plugins.sms.provider import Unsent

__all__ = ["Letter", "Outbox"]

_FIRST_RETRY = 1.0
_LONGEST_RETRY = 60.0
"""Seconds between two tries; each wait is twice as long as the one before."""
_BURST = 60.0
_AT_THE_END = 0.2
"""Seconds of the grace time that are left to put back what did not leave."""


class Letter:
    """One text to one number, while it is on its way."""

    __slots__ = (
        "confirms",
        "content",
        "end",
        "number",
        "paid",
        "pieces",
        "reply",
        "segments",
        "under_way",
    )

    def __init__(
        self,
        number: str,
        reply: Reply,
        content: Any,
        *,
        pieces: list[str],
        segments: int,
        end: float,
    ) -> None:
        self.number = number
        self.reply = reply
        self.content = content
        """As it came from the bus; None for one of the plugin's own."""
        self.pieces = pieces
        """The messages that are still to be sent."""
        self.segments = segments
        self.end = end
        """When it is given up, in the clock's time."""
        self.paid = False
        """Whether its segments were taken from the budget."""
        self.confirms = content is None
        self.under_way = False
        """Whether the vendor is being asked to take it at this moment."""


class Outbox:
    """Sends letters, tries again, and gives up.

    Args:
        send: sends what is left of a letter; raises `Unsent`, or anything else that is
            wrong for good, `TimeoutError` when nobody knows whether it left.
        give_up: told of a letter that does not leave, why, and the vendor's code.
        hold: told False when it is full, True when there is room again.
        failed: told of an exception that is not `Unsent`.
    """

    def __init__(
        self,
        clock: Clock,
        send: Callable[[Letter], Awaitable[None]],
        *,
        give_up: Callable[[Letter, GivenUp, str], None],
        hold: Callable[[bool], None],
        failed: Callable[[Letter, Exception], None],
        most: int,
        most_per_number: int,
        concurrency: int,
        segments_per_minute: float,
    ) -> None:
        self._clock = clock
        self._send = send
        self._give_up = give_up
        self._hold = hold
        self._failed = failed
        self._most = most
        self._most_per_number = most_per_number
        self._slots = asyncio.Semaphore(concurrency)
        self._pace = Pace(segments_per_minute / 60, _BURST)
        self._queues: dict[str, deque[Letter]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._held = False
        self.waiting = 0
        """Letters that have not left."""

    def add(self, letter: Letter) -> None:
        """Take a letter; one too many for its number is given up."""
        queue = self._queues.get(letter.number)
        if queue is None:
            queue = self._queues[letter.number] = deque()
            task = asyncio.get_running_loop().create_task(
                self._work_off(letter.number, queue)
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif len(queue) >= self._most_per_number:
            self._give_up(letter, GivenUp.TOO_MANY, "")
            return
        queue.append(letter)
        self._count(1)

    async def stop(self, grace: float) -> list[Letter]:
        """Send what can be sent in time, and return what is left, in order.

        What the vendor was being asked to take is given up as unknown.
        """
        now = self._clock.now()
        if self._tasks and (enough := now + grace - _AT_THE_END) > now:
            ended = asyncio.Event()
            timer = self._clock.call_at(enough, ended.set)
            over = asyncio.ensure_future(ended.wait())
            while self._tasks and not over.done():
                await asyncio.wait(
                    {over, *self._tasks}, return_when=asyncio.FIRST_COMPLETED
                )
            timer.cancel()
            over.cancel()
        for task in (tasks := list(self._tasks)):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        left = [letter for queue in self._queues.values() for letter in queue]
        for letter in left:
            if letter.under_way:
                self._give_up(letter, GivenUp.UNKNOWN, "")
        self._queues.clear()
        self.waiting = 0
        return [letter for letter in left if not letter.under_way]

    async def _work_off(self, number: str, queue: deque[Letter]) -> None:
        while queue:
            await self._see_through(queue[0])
            queue.popleft()
            self._count(-1)
        # Nothing can have come in between: `add` runs in the same loop.
        del self._queues[number]

    async def _see_through(self, letter: Letter) -> None:
        """Try until the letter has left or is given up."""
        backoff = _FIRST_RETRY
        while True:
            if (pause := self._pace.wait(letter.number, self._clock.now())) > 0:
                if not await self._sleep(letter, pause):
                    return
                continue
            unsent = await self._try(letter)
            if unsent is None:
                return
            if unsent.final:
                self._give_up(letter, GivenUp.REFUSED, unsent.code)
                return
            asked = unsent.retry_after or 0.0
            pause = max(asked, backoff * random.uniform(0.5, 1.0))
            if not await self._sleep(letter, pause, code=unsent.code):
                return
            backoff = min(2 * backoff, _LONGEST_RETRY)

    async def _try(self, letter: Letter) -> Unsent | None:
        """Send a letter once; return why it must be tried again or given up."""
        async with self._slots:
            letter.under_way = True
            try:
                await self._send(letter)
            except Unsent as unsent:
                letter.under_way = False
                return unsent
            except TimeoutError:
                self._give_up(letter, GivenUp.UNKNOWN, "")
            except Exception as error:
                self._failed(letter, error)
                self._give_up(letter, GivenUp.FAILED, "")
            self._pace.spend(letter.number, self._clock.now(), letter.segments)
        return None

    async def _sleep(self, letter: Letter, pause: float, *, code: str = "") -> bool:
        """Wait; False when the letter's time would be over, and it is given up."""
        when = self._clock.now() + pause
        if when > letter.end:
            self._give_up(letter, GivenUp.NOT_TAKEN, code)
            return False
        woken = asyncio.Event()
        timer = self._clock.call_at(when, woken.set)
        try:
            await woken.wait()
        finally:
            timer.cancel()
        return True

    def _count(self, change: int) -> None:
        self.waiting += change
        if not self._held and self.waiting >= self._most:
            self._held = True
            self._hold(False)
        elif self._held and 2 * self.waiting <= self._most:
            self._held = False
            self._hold(True)
