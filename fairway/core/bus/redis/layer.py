"""The Redis layer: its blocking face."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from fairway.core.bus.layer import (
    APPLY_TIMEOUT,
    ChannelLayer,
    ChannelStatistics,
    Delivery,
    LayerPolicy,
    LayerPort,
    Reader,
    Receiver,
    Told,
)
from fairway.core.bus.operations import Operation, Outcome
from fairway.core.bus.redis.address import read_url
from fairway.core.bus.redis.carrier import carry_out
from fairway.core.bus.redis.flush import Flush
from fairway.core.bus.redis.link import Link
from fairway.core.bus.redis.outage import Outage
from fairway.core.bus.redis.pool import Pool
from fairway.core.bus.redis.port import RedisPort, claim_command, is_claimed
from fairway.core.bus.redis.readers import LIST, read_list
from fairway.core.bus.redis.receiver import RedisReceiver
from fairway.core.bus.redis.resp import Answer, Command, LinkDown, ReplyError, checked
from fairway.core.bus.redis.scripts import DEPTH
from fairway.core.drops import Drop
from fairway.core.exceptions import LayerUnavailable

__all__ = ["RedisLayer"]

_RING_TIMEOUT = 1.0
_BELL_LIFE = 10_000
"""Milliseconds that a receiver's bell waits to be heard."""
_MOST_EXPIRED = 10_000
_SCAN = 1000


class RedisLayer(ChannelLayer):
    """Queues and groups on one Redis server; connects when it is first used.

    Raises:
        ConfigurationError: the URL cannot be read.
    """

    def __init__(self, url: str, policy: LayerPolicy) -> None:
        self.address = read_url(url)
        super().__init__(self.address.safe, policy)
        self.outage = Outage(self.url, "is unavailable", "is available again")
        self.refusals = Outage(self.url, "refuses writes", "takes writes again")
        self._pool = Pool(self.address, self.outage)
        self._lock = threading.Lock()
        self._receivers: set[Receiver] = set()

    def apply(
        self, operations: Sequence[Operation], timeout: float = APPLY_TIMEOUT
    ) -> list[Outcome]:
        """Carry out operations in order: one exchange, two with groups among them."""
        deadline = time.monotonic() + timeout
        try:
            with self._pool.link(deadline) as link:
                outcomes, outdated = carry_out(
                    self, link, operations, deadline=deadline
                )
                if outdated:
                    link.close()
        except LinkDown as down:
            self.trouble = down.reason
            return [Outcome.UNAVAILABLE] * len(operations)
        return outcomes

    def apply_and_take(
        self,
        operations: Sequence[Operation],
        told: Told,
        receiver: Receiver,
        limit: int,
    ) -> list[Delivery]:
        """Write operations and a take in one piece, on the receiver's connection."""
        assert isinstance(receiver, RedisReceiver)
        return receiver.apply_and_take(operations, told, limit)

    def receiver(self, channels: Sequence[str]) -> Receiver:
        """Listen to channels; a mailbox is named with its `!` at the end."""
        receiver = RedisReceiver(self, channels)
        with self._lock:
            self._receivers.add(receiver)
        return receiver

    def port(self, loop: asyncio.AbstractEventLoop) -> LayerPort:
        """Return the layer's face for an event loop."""
        return RedisPort(self, loop)

    def group_channels(self, group: str) -> list[str]:
        """Return the members of a group; those of dead processes are left out.

        Raises:
            LayerUnavailable: the server cannot be reached.
        """
        with self._asking() as ask:
            mailboxes, found = ask.members(group)
            keys = [ask.keys.members(group, mailbox) for mailbox in mailboxes]
            answers = ask([("SMEMBERS", key) for key in keys])
        for mailbox, locals_ in zip(mailboxes, answers, strict=True):
            found += [f"{mailbox}!{local.decode()}" for local in locals_]
        return found

    def group_count(self, group: str) -> int:
        """Return how many members a group has, without fetching them.

        Raises:
            LayerUnavailable: the server cannot be reached.
        """
        with self._asking() as ask:
            mailboxes, found = ask.members(group)
            keys = [ask.keys.members(group, mailbox) for mailbox in mailboxes]
            return len(found) + sum(ask([("SCARD", key) for key in keys]))

    def claim(self, key: str, ttl: float, owner: str = "") -> bool:
        """Return True to exactly one caller among all processes for `ttl` seconds.

        Raises:
            LayerUnavailable: the server cannot be reached.
        """
        with self._asking() as ask:
            return is_claimed(ask([claim_command(ask.keys, key, ttl, owner)]))

    def statistics(self, channels: Sequence[str]) -> dict[str, ChannelStatistics]:
        """Return the state of channels.

        Raises:
            LayerUnavailable: the server cannot be reached.
        """
        with self._asking() as ask:
            keys = [ask.keys.queue(channel) for channel in channels]
            answers = ask([DEPTH([key], _MOST_EXPIRED) for key in keys])
        found: dict[str, ChannelStatistics] = {}
        for channel, (expired, waiting, age) in zip(channels, answers, strict=True):
            if expired:
                self.drops.add(channel, Drop.EXPIRED, expired)
            oldest = None if age < 0 else age / 1000
            found[channel] = ChannelStatistics(waiting, oldest)
        return found

    def readers(self) -> list[Reader] | None:
        """Return who takes from queues; None where the server does not tell us.

        Raises:
            LayerUnavailable: the server cannot be reached.
        """
        deadline = time.monotonic() + APPLY_TIMEOUT
        with self._asking() as ask:
            [answer] = ask.link.exchange([LIST], deadline)
            if isinstance(answer, ReplyError):
                return None
            [answer] = checked([answer], ask.link.failure)
        return read_list(answer, self.address.database)

    def flush(self) -> None:
        """Forget all messages, groups and claims; for tests. Leases stay.

        Raises:
            LayerUnavailable: the server cannot be reached.
        """
        with self._asking() as ask:
            leases = ask.keys.lease("").partition("{")[0].encode()
            cursor = b"0"
            while True:
                pattern = f"{ask.keys.prefix}*"
                scan: Command = ("SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN)
                [[cursor, keys]] = ask([scan])
                if doomed := [key for key in keys if not key.startswith(leases)]:
                    ask([("UNLINK", *doomed)])
                if cursor == b"0":
                    return

    def close(self) -> None:
        """Close all receivers and connections."""
        with self._lock:
            receivers = list(self._receivers)
        for receiver in receivers:
            receiver.close()
        self._pool.close()

    def forget(self, receiver: Receiver) -> None:
        """Drop a receiver that closed."""
        with self._lock:
            self._receivers.discard(receiver)

    def ring(self, key: str) -> None:
        """Wake whoever waits on a list; says nothing when that fails."""
        deadline = time.monotonic() + _RING_TIMEOUT
        with suppress(LinkDown), self._pool.link(deadline) as link:
            link.exchange([("RPUSH", key, b""), ("PEXPIRE", key, _BELL_LIFE)], deadline)

    def settle(self, flush: Flush, outcomes: Sequence[Outcome]) -> None:
        """Count and log what a flush met on its way."""
        if unknown := outcomes.count(Outcome.UNKNOWN):
            self.outage.unanswered(unknown)
        for channel, reason, count in flush.dropped:
            self.drops.add(channel, reason, count)
        if flush.refusal is not None:
            self.refusals.begin(flush.refusal, time.monotonic())
        elif flush.written:
            self.refusals.end()

    @contextmanager
    def _asking(self) -> Iterator[_Inquiry]:
        deadline = time.monotonic() + APPLY_TIMEOUT
        try:
            with self._pool.link(deadline) as link:
                yield _Inquiry(link, deadline)
        except LinkDown as down:
            raise LayerUnavailable(self.url, down.reason, sent=down.written) from None


class _Inquiry:
    """Questions on one connection, all of which must be answered."""

    def __init__(self, link: Link, deadline: float) -> None:
        self.keys = link.keys
        self.link = link
        self._deadline = deadline

    def __call__(self, commands: Sequence[Command]) -> list[Answer]:
        """Return the answers; raises LinkDown when one is missing or an error."""
        answers = self.link.exchange(commands, self._deadline)
        return checked(answers, self.link.failure)

    def members(self, group: str) -> tuple[list[str], list[str]]:
        """Return the living mailboxes with members, and the normal channels."""
        present = int(self.link.clock.server(time.monotonic()) * 1000)
        mailboxes, plain = self(
            [
                ("SMEMBERS", self.keys.group(group)),
                ("ZRANGEBYSCORE", self.keys.plain(group), f"({present}", "+inf"),
            ]
        )
        names = [name.decode() for name in mailboxes]
        alive = self([("EXISTS", self.keys.lease(name)) for name in names])
        living = [name for name, lives in zip(names, alive, strict=True) if lives]
        return living, [name.decode() for name in plain]
