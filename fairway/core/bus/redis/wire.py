"""A connection of an event loop: an asyncio protocol, answers by callback."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from fairway.core.bus.redis.address import Address
from fairway.core.bus.redis.clock import ServerClock
from fairway.core.bus.redis.greeting import CONNECT_TIMEOUT, greeting, read_greeting
from fairway.core.bus.redis.keys import Keys
from fairway.core.bus.redis.link import reason_of
from fairway.core.bus.redis.resp import (
    TIME,
    Answer,
    Answers,
    Command,
    LinkDown,
    Missing,
    checked,
    pack,
)

__all__ = ["Done", "Wire", "open_wire"]

Done = Callable[[list[Answer]], None]

_CLOSED = "the server closed the connection"


class _Exchange:
    __slots__ = ("answers", "deadline", "done", "expected", "sent", "timed")

    def __init__(self, expected: int, done: Done, sent: float, deadline: float) -> None:
        self.expected = expected
        self.timed = False
        self.done = done
        self.sent = sent
        self.deadline = deadline
        self.answers: list[Answer] = []


class Wire(asyncio.Protocol):
    """Writes each exchange at once and calls back in order; measures the clock.

    An exchange without an answer in time ends the connection.
    """

    keys: Keys

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.clock = ServerClock()
        self.heard = time.monotonic()
        """When the server was last known to answer."""
        self.closed = False
        self.failure: str | None = None
        """Why it was lost, None when it was not, or was closed on purpose."""
        self.lost: asyncio.Future[None] = loop.create_future()
        """Done when the connection is lost."""
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._answers = Answers()
        self._waiting: deque[_Exchange] = deque()
        self._watch: asyncio.TimerHandle | None = None

    def exchange(self, commands: Sequence[Command], done: Done, timeout: float) -> None:
        """Write commands; `done` gets their answers, a `Missing` for what has none."""
        if self.closed or self._transport is None:
            missing: list[Answer] = [Missing.NOT_WRITTEN] * len(commands)
            self._loop.call_soon(done, missing)
            return
        now = time.monotonic()
        exchange = _Exchange(len(commands), done, now, now + timeout)
        if self.clock.wants(now):
            exchange.timed = True
            exchange.expected += 1
            commands = [*commands, TIME]
        self._waiting.append(exchange)
        self._transport.write(pack(commands))
        if self._watch is None:
            self._watch = self._loop.call_later(timeout, self._look)

    async def ask(self, commands: Sequence[Command], timeout: float) -> list[Answer]:
        """Return the answers of an exchange.

        Raises:
            LinkDown: one is missing, or an error.
        """
        if not commands:
            return []
        come: asyncio.Future[list[Answer]] = self._loop.create_future()

        def done(answers: list[Answer]) -> None:
            if not come.done():
                come.set_result(answers)

        self.exchange(commands, done, timeout)
        return checked(await come, self.failure)

    def close(self) -> None:
        """End it; whoever waits is told later in the loop."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    def fail(self, reason: str) -> None:
        """End it, because it is of no use any more."""
        if not self.closed:
            self.failure = reason
            self.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        try:
            answers = self._answers.feed(data, len(data))
        except LinkDown as down:
            self.fail(down.reason)
            return
        self.heard = time.monotonic()
        for answer in answers:
            if not self._waiting:
                self.fail("the server answers what nobody asked")
                return
            exchange = self._waiting[0]
            exchange.answers.append(answer)
            if len(exchange.answers) == exchange.expected:
                self._waiting.popleft()
                self._complete(exchange)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop."""
        if not self.closed:
            self.closed = True
            self.failure = reason_of(error) if isinstance(error, OSError) else _CLOSED
        if self._watch is not None:
            self._watch.cancel()
        if not self.lost.done():
            self.lost.set_result(None)
        while self._waiting:
            exchange = self._waiting.popleft()
            count = exchange.expected - exchange.timed
            come = exchange.answers[:count]
            exchange.done(come + [Missing.NO_ANSWER] * (count - len(come)))

    def _complete(self, exchange: _Exchange) -> None:
        answers = exchange.answers
        if exchange.timed and isinstance(moment := answers.pop(), list):
            self.clock.observe(exchange.sent, self.heard, moment)
        exchange.done(answers)

    def _look(self) -> None:
        """End the connection when the oldest exchange waits for too long."""
        self._watch = None
        if not self._waiting:
            return
        left = self._waiting[0].deadline - time.monotonic()
        if left <= 0:
            self.fail("no answer in time")
        else:
            self._watch = self._loop.call_later(left, self._look)


async def open_wire(loop: asyncio.AbstractEventLoop, address: Address) -> Wire:
    """Connect and greet.

    Raises:
        LinkDown: there is no such server, or it cannot be used.
    """
    wire = Wire(loop)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await _connect(loop, address, wire)
            answers = await wire.ask(greeting(address), CONNECT_TIMEOUT)
        wire.keys = read_greeting(answers)
    except OSError as error:
        wire.close()
        raise LinkDown(reason_of(error)) from None
    except BaseException:
        wire.close()
        raise
    return wire


async def _connect(
    loop: asyncio.AbstractEventLoop, address: Address, wire: Wire
) -> None:
    if address.path:
        await loop.create_unix_connection(lambda: wire, address.path)
        return
    await loop.create_connection(
        lambda: wire, address.host, address.port, ssl=address.tls
    )
