"""The mailbox of an event loop: one connection that waits on its list."""

from __future__ import annotations

import asyncio
import math
import time
import typing
from contextlib import suppress
from functools import partial

from fairway.core.bus.arrivals import read_records
from fairway.core.bus.layer import Mailbox, MailboxOwner
from fairway.core.bus.record import GroupMessage
from fairway.core.bus.redis.bus import Bus
from fairway.core.bus.redis.keys import Keys
from fairway.core.bus.redis.lease import has_lapsed, is_put_off, renew, slice_of
from fairway.core.bus.redis.line import Line
from fairway.core.bus.redis.readers import introduce
from fairway.core.bus.redis.remains import bury, count_buried
from fairway.core.bus.redis.resp import (
    Answer,
    Command,
    LinkDown,
    Missing,
    ReplyError,
    explain,
    pack,
)
from fairway.core.bus.redis.upkeep import Ask, Upkeep
from fairway.core.bus.redis.wire import Wire

__all__ = ["RedisMailbox"]

_BATCH = 200
"""Records of one read; each may be as large as content may be."""
_DEAD = 3.0
"""Seconds after which a connection without an answer is given up."""


class _Port(typing.Protocol):
    """What a mailbox needs of its port."""

    bus: Bus
    loop: asyncio.AbstractEventLoop

    @property
    def ask(self) -> Ask:
        """Exchange commands outside of what was posted."""

    def forget(self, mailbox: RedisMailbox) -> None:
        """Drop a mailbox that closed."""


class RedisMailbox(Mailbox):
    """Takes by BLMPOP, and renews the lease in the same write.

    So the lease ends with the subscription: a mailbox that nobody reads leaves its
    groups, and comes back when it is read again.
    """

    def __init__(self, port: _Port, name: str, owner: MailboxOwner) -> None:
        self.name = name
        self.upkeep = Upkeep(port.ask, name, owner)
        self._port = port
        self._bus = port.bus
        self._owner = owner
        self._keys: Keys | None = None
        self._slice = slice_of(port.bus.policy.mailbox_lease)
        self._pop: Command = b""
        self._leased = -math.inf
        self._closed = False
        self._line = Line(
            port.loop,
            port.bus.address,
            port.bus.outage,
            opened=self._opened,
            failed=lambda reason: None,
        )
        self._line.start()
        self._task = port.loop.create_task(self.upkeep.run())

    def emptied(self) -> None:
        """The server holds nothing of before."""
        self._owner.emptied()

    def resubscribe(self) -> None:
        """Drop the connection and make a new one."""
        self._line.drop()

    async def close(self) -> None:
        """Leave all groups and forget what waits."""
        if self._closed:
            return
        self._closed = True
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._line.close()
        with suppress(LinkDown):
            await self.upkeep.leave()
            await self._port.ask(
                lambda keys: [
                    ("UNLINK", keys.queue(f"{self.name}!"), keys.lease(self.name))
                ]
            )
        self._port.forget(self)

    def _opened(self, wire: Wire) -> None:
        before, self._keys = self._keys, wire.keys
        if before is not None and before.prefix != wire.keys.prefix:
            queues = [f"{self.name}!"]
            count = partial(count_buried, queues, drops=self._bus.drops)
            wire.exchange(bury(before, queues), count, _DEAD)
        self._leased = -math.inf
        queue = wire.keys.queue(f"{self.name}!")
        pop = ("BLMPOP", f"{self._slice:.3f}", 1, queue, "LEFT", "COUNT", _BATCH)
        self._pop = pack([pop])
        wire.exchange([introduce([f"{self.name}!"])], lambda answers: None, _DEAD)
        self._listen(wire)

    def _listen(self, wire: Wire) -> None:
        lease, now = self._bus.policy.mailbox_lease, time.monotonic()
        commands = [self._pop]
        renewing = now - self._leased >= lease / 3
        if renewing:
            self._leased = now
            commands.insert(0, renew(wire.keys, self.name, lease))
        answered = partial(self._answered, wire, renewing)
        wire.exchange(commands, answered, self._slice + _DEAD)

    def _answered(self, wire: Wire, renewed: bool, answers: list[Answer]) -> None:
        if any(isinstance(answer, Missing) for answer in answers):
            return
        come = answers[-1]
        trouble: str | None = None
        if isinstance(come, ReplyError):
            trouble = explain(come)
        elif renewed:
            trouble = self._renewed(answers[0])
        if trouble is None:
            # The next batch is on its way while this one is delivered.
            self._listen(wire)
        if isinstance(come, list):
            self._arrived(wire, come[1])
        if trouble is not None:
            wire.fail(trouble)

    def _renewed(self, answer: Answer) -> str | None:
        """Read what became of the lease; return why to listen elsewhere, if so."""
        if is_put_off(answer):
            self._leased = -math.inf
        elif isinstance(answer, ReplyError):
            return explain(answer)
        elif has_lapsed(answer):
            self.upkeep.lapsed()
        return None

    def _arrived(self, wire: Wire, records: list[bytes]) -> None:
        deliveries = read_records(
            f"{self.name}!",
            records,
            ahead=wire.clock.local(0.0),
            drops=self._bus.drops,
            now=time.monotonic(),
        )
        for delivery in deliveries:
            if isinstance(delivery.body, GroupMessage):
                self.upkeep.sent_to(delivery.body.group)
        if deliveries:
            # Apart from the connection, which an exception here would end.
            self._port.loop.call_soon(self._owner.deliver, deliveries)
