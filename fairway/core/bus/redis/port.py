"""The Redis layer's face for an event loop: one write for all that a tick posts."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from msgspec import Struct

from fairway.core.bus import operations as op
from fairway.core.bus.layer import APPLY_TIMEOUT, LayerPort, Mailbox, MailboxOwner
from fairway.core.bus.operations import (
    Forward,
    GroupSend,
    Operation,
    Outcome,
    Send,
    channel_of,
)
from fairway.core.bus.redis.bus import Bus
from fairway.core.bus.redis.flush import Flush
from fairway.core.bus.redis.keys import Keys
from fairway.core.bus.redis.line import Line
from fairway.core.bus.redis.mailbox import RedisMailbox
from fairway.core.bus.redis.resp import Answer, Command, LinkDown
from fairway.core.bus.redis.scripts import CLAIM
from fairway.core.bus.redis.wire import Wire
from fairway.core.drops import Drop
from fairway.core.exceptions import LayerUnavailable

__all__ = ["RedisPort", "claim_command", "is_claimed"]

OutcomeDone = Callable[[Outcome], None]
_CARRIERS = Send, GroupSend, Forward, op.Answer


class _Posted(Struct, frozen=True, eq=False):
    """One operation on its way; compared by identity."""

    operation: Operation
    done: OutcomeDone | None


class RedisPort(LayerPort):
    """Writes what was posted at the end of the tick; the loop is never blocked.

    A batch with group operations takes two exchanges; until the second is written,
    later batches wait, so that one sender's messages stay in order.
    """

    def __init__(self, bus: Bus, loop: asyncio.AbstractEventLoop) -> None:
        self.bus = bus
        self.loop = loop
        self._line = Line(
            loop, bus.address, bus.outage, opened=self._opened, failed=self._failed
        )
        self._prefix: str | None = None
        self._posted: list[_Posted] = []
        self._scheduled = False
        self._halfway = False
        self._flying = 0
        self._quiet = asyncio.Event()
        self._askers: list[asyncio.Future[Wire]] = []
        self._mailboxes: list[RedisMailbox] = []

    def post(self, operation: Operation, done: OutcomeDone | None = None) -> None:
        """Carry out an operation together with all others of this loop tick."""
        self._posted.append(_Posted(operation, done))
        if not self._scheduled:
            self._schedule()

    async def apply(
        self, operations: Sequence[Operation], timeout: float = APPLY_TIMEOUT
    ) -> list[Outcome]:
        """Carry out operations in order and return what became of each."""
        outcomes: list[Outcome | None] = [None] * len(operations)
        left = len(operations)
        complete = asyncio.Event()

        def done(index: int, outcome: Outcome) -> None:
            nonlocal left
            outcomes[index] = outcome
            left -= 1
            if not left:
                complete.set()

        posted = [
            _Posted(operation, partial(done, index))
            for index, operation in enumerate(operations)
        ]
        self._posted += posted
        if posted and not self._scheduled:
            self._schedule()
        try:
            if posted:
                with suppress(TimeoutError):
                    async with asyncio.timeout(timeout):
                        await complete.wait()
        finally:
            withdrawn = self._withdraw(posted)
        return [
            outcome or (Outcome.UNAVAILABLE if each in withdrawn else Outcome.UNKNOWN)
            for each, outcome in zip(posted, outcomes, strict=True)
        ]

    def mailbox(self, prefix: str, owner: MailboxOwner) -> Mailbox:
        """Open a mailbox whose name starts with `prefix` and a dot."""
        mailbox = RedisMailbox(self, f"{prefix}.{secrets.token_hex(6)}", owner)
        self._mailboxes.append(mailbox)
        return mailbox

    async def claim(self, key: str, ttl: float, owner: str = "") -> bool:
        """Return True to exactly one caller among all processes for `ttl` seconds."""
        try:
            answer = await self.ask(lambda keys: [claim_command(keys, key, ttl, owner)])
        except LinkDown as down:
            raise LayerUnavailable(
                self.bus.url, down.reason, sent=down.written
            ) from None
        return is_claimed(answer)

    async def ask(self, commands: Callable[[Keys], list[Command]]) -> list[Answer]:
        """Exchange commands of the mailboxes' upkeep, outside of the posted ones.

        Raises:
            LinkDown: an answer is missing, or an error.
        """
        wire = await self._ready()
        return await wire.ask(commands(wire.keys), APPLY_TIMEOUT)

    async def close(self) -> None:
        """Send what was posted, then give everything back."""
        for mailbox in list(self._mailboxes):
            await mailbox.close()
        if self._posted or self._flying:
            self._quiet.clear()
            try:
                async with asyncio.timeout(APPLY_TIMEOUT):
                    await self._quiet.wait()
            except TimeoutError:
                self._failed("closed")
        await self._line.close()

    def forget(self, mailbox: RedisMailbox) -> None:
        """Drop a mailbox that closed."""
        self._mailboxes.remove(mailbox)

    def _schedule(self) -> None:
        self._scheduled = True
        self._line.start()
        self.loop.call_soon(self._flush)

    def _withdraw(self, posted: list[_Posted]) -> set[_Posted]:
        """Take back what was not written yet, and return it."""
        withdrawn = set(posted).intersection(self._posted)
        if withdrawn:
            self._posted = [each for each in self._posted if each not in withdrawn]
        return withdrawn

    def _flush(self) -> None:
        self._scheduled = False
        wire = self._line.wire
        if self._line.trouble is not None:
            self._failed(self._line.trouble)
        elif self._posted and not self._halfway and wire and not wire.closed:
            self._begin(wire)

    def _begin(self, wire: Wire) -> None:
        posted, self._posted = self._posted, []
        self._flying += len(posted)
        flush = Flush(
            [each.operation for each in posted],
            wire.keys,
            wire.clock,
            policy=self.bus.policy,
            now=time.monotonic(),
        )
        if commands := flush.first():
            self._halfway = True
            second = partial(self._go_on, wire, flush, posted)
            wire.exchange(commands, second, APPLY_TIMEOUT)
        else:
            self._append(wire, flush, posted, [])

    def _go_on(
        self, wire: Wire, flush: Flush, posted: list[_Posted], answers: list[Answer]
    ) -> None:
        self._halfway = False
        self._append(wire, flush, posted, answers)
        self._flush()

    def _append(
        self, wire: Wire, flush: Flush, posted: list[_Posted], answers: list[Answer]
    ) -> None:
        commands = flush.second(answers)
        finish = partial(self._finish, wire, flush, posted)
        if commands:
            wire.exchange(commands, finish, APPLY_TIMEOUT)
        else:
            finish([])

    def _finish(
        self, wire: Wire, flush: Flush, posted: list[_Posted], answers: list[Answer]
    ) -> None:
        outcomes = flush.finish(answers)
        self.bus.settle(flush, outcomes)
        if Outcome.UNKNOWN in outcomes:
            self._count_unknown(posted, outcomes)
        if flush.reaps:
            wire.exchange(flush.reaps, lambda _: None, APPLY_TIMEOUT)
        if flush.outdated:
            wire.close()
        # Apart from the connection, which an exception here would end.
        self.loop.call_soon(self._tell, posted, outcomes)

    def _count_unknown(self, posted: list[_Posted], outcomes: list[Outcome]) -> None:
        for each, outcome in zip(posted, outcomes, strict=True):
            carries = isinstance(each.operation, _CARRIERS)
            if carries and outcome is Outcome.UNKNOWN:
                self.bus.drops.add(channel_of(each.operation), Drop.UNKNOWN)

    def _tell(self, posted: list[_Posted], outcomes: list[Outcome]) -> None:
        self._flying -= len(posted)
        self._rest()
        for each, outcome in zip(posted, outcomes, strict=True):
            if each.done is not None:
                each.done(outcome)

    def _rest(self) -> None:
        if not self._posted and not self._flying:
            self._quiet.set()

    async def _ready(self) -> Wire:
        """Return an open connection; waits for one that is being made."""
        self._line.start()
        wire = self._line.wire
        if wire is not None and not wire.closed:
            return wire
        if self._line.trouble is not None:
            raise LinkDown(self._line.trouble)
        asker: asyncio.Future[Wire] = self.loop.create_future()
        self._askers.append(asker)
        return await asker

    def _opened(self, wire: Wire) -> None:
        before, self._prefix = self._prefix, wire.keys.prefix
        if before not in (None, self._prefix):
            # Whoever posted what was accepted has been told so; the rest follows now.
            for mailbox in list(self._mailboxes):
                mailbox.emptied()
        askers, self._askers = self._askers, []
        for asker in askers:
            if not asker.done():
                asker.set_result(wire)
        self._flush()

    def _failed(self, reason: str) -> None:
        posted, self._posted = self._posted, []
        askers, self._askers = self._askers, []
        for asker in askers:
            if not asker.done():
                asker.set_exception(LinkDown(reason))
        self._rest()
        for each in posted:
            if each.done is not None:
                each.done(Outcome.UNAVAILABLE)


def claim_command(keys: Keys, key: str, ttl: float, owner: str) -> Command:
    """Return the command that claims a key; see `ChannelLayer.claim`."""
    # Without an owner a fresh name, so that nobody is taken for the holder.
    life = max(1, int(ttl * 1000)) if ttl > 0 else 0
    return CLAIM([keys.claim(key)], owner or secrets.token_hex(8), life)


def is_claimed(answers: list[Answer]) -> bool:
    """Read the answer to `claim_command`."""
    return answers == [1]
