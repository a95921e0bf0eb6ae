"""A base for channel layers of few methods: mailboxes, groups and ports over queues.

The author of a layer writes what moves bytes: `push`, `pull`, `join`, `leave`,
`members`, `claim`, and for tools `waiting` and `flush`. This base makes records of
operations, keeps expiry, leases of mailboxes and the order of one sender, and gives an
event loop its face by threads. It costs the bus one record for each mailbox of a group,
but a call for each operation: a layer that wants batches writes the whole contract.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from operator import itemgetter

from fairway.core.bus.arrivals import read_records
from fairway.core.bus.bodies import capacity_of, is_control, put, put_group
from fairway.core.bus.layer import (
    APPLY_TIMEOUT,
    ChannelLayer,
    ChannelStatistics,
    Delivery,
    LayerPort,
    Mailbox,
    MailboxOwner,
    Receiver,
)
from fairway.core.bus.operations import (
    GroupAdd,
    GroupDiscard,
    GroupSend,
    Operation,
    Outcome,
    Send,
)
from fairway.core.bus.record import Body, Canary, Kind, pack
from fairway.core.drops import Drop
from fairway.core.exceptions import LayerUnavailable
from fairway.core.names import owner_of

__all__ = ["SimpleLayer"]

_LEASES = "!mailboxes"
"""The group of mailboxes that somebody reads; no group of users has such a name."""
_PROVISIONAL_LEASE = 30.0
_SLICE = 2.0
"""Seconds of one pull of a mailbox."""
_BATCH = 200
_RETRY = 0.5
_BELL_LIFE = 10.0

OutcomeDone = Callable[[Outcome], None]


class SimpleLayer(ChannelLayer):
    """A channel layer whose author writes the abstract methods below.

    They are called by several threads at a time, may block for a few seconds, and raise
    LayerUnavailable when the bus cannot be reached, with `sent=True` when what they
    wrote may have got there.
    """

    @abstractmethod
    def push(self, queue: str, record: bytes, *, ttl: float, capacity: int) -> bool:
        """Append a record to a queue; False when it holds `capacity` of them.

        Args:
            queue: a channel, or a mailbox and `!`.
            ttl: seconds after which the record is of no use; it does not count then.
        """

    @abstractmethod
    def pull(
        self, queues: Sequence[str], limit: int, timeout: float
    ) -> list[tuple[str, bytes]]:
        """Take up to `limit` records, one of each queue in turn, with their queues.

        Each record is taken once, from the head of its queue. When all are empty it
        waits for a record for `timeout` seconds.
        """

    @abstractmethod
    def join(self, group: str, member: str, ttl: float) -> None:
        """Make `member` one of a group for `ttl` seconds from this moment on."""

    @abstractmethod
    def leave(self, group: str, member: str) -> None:
        """End a membership, if there is one."""

    @abstractmethod
    def members(self, group: str) -> list[str]:
        """Return the members of a group whose time is not over."""

    @abstractmethod
    def waiting(self, queue: str) -> int:
        """Return how many records wait on a queue."""

    def clock(self) -> float:
        """Return the time that deadlines are in, in seconds.

        All processes of a bus must agree on it; override it when theirs may differ.
        """
        return time.time()

    def apply(
        self, operations: Sequence[Operation], timeout: float = APPLY_TIMEOUT
    ) -> list[Outcome]:
        """Carry out operations in order, one by one."""
        end = time.monotonic() + timeout
        outcomes: list[Outcome] = []
        for operation in operations:
            if time.monotonic() >= end:
                outcomes.append(Outcome.UNAVAILABLE)
                continue
            try:
                outcomes.append(self._carry_out(operation))
            except LayerUnavailable as error:
                self.trouble = error.reason
                unsure = error.sent or isinstance(operation, GroupSend)
                outcomes.append(Outcome.UNKNOWN if unsure else Outcome.UNAVAILABLE)
        return outcomes

    def receiver(self, channels: Sequence[str]) -> Receiver:
        """Listen to channels; a mailbox is named with its `!` at the end."""
        return _SimpleReceiver(self, channels)

    def port(self, loop: asyncio.AbstractEventLoop) -> LayerPort:
        """Return the layer's face for an event loop."""
        return _SimplePort(self, loop)

    def group_channels(self, group: str) -> list[str]:
        """Return the members of a group; those of dead processes are left out."""
        found = self.members(group)
        alive = {"", *self.members(_LEASES)}
        return [channel for channel in found if owner_of(channel) in alive]

    def statistics(self, channels: Sequence[str]) -> dict[str, ChannelStatistics]:
        """Return the state of channels; ages are unknown here."""
        return {name: ChannelStatistics(self.waiting(name), None) for name in channels}

    def close(self) -> None:
        """Give everything back; override it when there is something."""

    def read(self, taken: Sequence[tuple[str, bytes]]) -> list[Delivery]:
        """Return what is to be handed over; counts what expired or cannot be read."""
        now = time.monotonic()
        ahead = now - self.clock()
        deliveries: list[Delivery] = []
        for queue, each in groupby(taken, itemgetter(0)):
            records = [record for _, record in each]
            deliveries += read_records(
                queue, records, ahead=ahead, drops=self.drops, now=now
            )
        return deliveries

    def renew(self, mailbox: str) -> bool:
        """Renew the lease of a mailbox; return whether it had lapsed."""
        lapsed = mailbox not in self.members(_LEASES)
        self.join(_LEASES, mailbox, self.policy.mailbox_lease)
        return lapsed

    def end_lease(self, mailbox: str) -> None:
        """End the lease of a mailbox that closes."""
        self.leave(_LEASES, mailbox)

    def restore(self, channels: Sequence[tuple[str, str]]) -> None:
        """Renew memberships, given as (group, channel)."""
        for group, channel in channels:
            self.join(group, channel, self.policy.group_expiry)

    def _carry_out(self, operation: Operation) -> Outcome:
        match operation:
            case GroupSend():
                return self._fan_out(operation)
            case GroupAdd(group=group, channel=channel):
                self.join(group, channel, self.policy.group_expiry)
                mailbox = owner_of(channel)
                if not mailbox:
                    return Outcome.ACCEPTED
                if mailbox not in self.members(_LEASES):
                    self.join(_LEASES, mailbox, _PROVISIONAL_LEASE)
            case GroupDiscard(group=group, channel=channel):
                self.leave(group, channel)
                if not owner_of(channel):
                    return Outcome.ACCEPTED
        accepted = self._push(*put(operation, self.policy))
        return Outcome.ACCEPTED if accepted else Outcome.FULL

    def _fan_out(self, send: GroupSend) -> Outcome:
        alive = set(self.members(_LEASES))
        mailboxes: dict[str, None] = {}
        plain: list[str] = []
        for channel in self.members(send.group):
            if not (mailbox := owner_of(channel)):
                if channel not in send.exclude:
                    plain.append(channel)
            elif mailbox in alive:
                mailboxes[f"{mailbox}!"] = None
            else:
                self.leave(send.group, channel)
        kind, body, expiry = put_group(send, self.policy)
        for queue in mailboxes:
            if not self._push(queue, kind, body, expiry):
                self.drops.add(queue, Drop.FULL)
        for channel in plain:
            one = Send(channel, send.content, expiry)
            if not self._push(*put(one, self.policy)):
                self.drops.add(channel, Drop.FULL)
        return Outcome.ACCEPTED

    def _push(self, queue: str, kind: Kind, body: Body, expiry: float) -> bool:
        capacity = capacity_of(queue, self.policy) * (2 if is_control(kind) else 1)
        version = self.policy.version
        record = pack(kind, body, self.clock(), life=expiry, version=version)
        return self.push(queue, record, ttl=expiry, capacity=capacity)


class _SimpleReceiver(Receiver):
    """Pulls from its channels and from a queue of its own, on which `wake` rings."""

    def __init__(self, layer: SimpleLayer, channels: Sequence[str]) -> None:
        self._layer = layer
        self._bell = layer.new_channel("fairway.bell?")
        self._queues = [self._bell, *dict.fromkeys(channels)]
        self._pulling = False
        self._woken = False
        self._closed = False

    def take(self, limit: int, timeout: float | None = None) -> list[Delivery]:
        end = None if timeout is None else time.monotonic() + timeout
        while not self._closed:
            left = _SLICE if end is None else min(_SLICE, end - time.monotonic())
            taken = self._pull(limit, max(0.0, left))
            if self._woken and not taken:
                self._woken = False
                break
            if taken or (end is not None and time.monotonic() >= end):
                return taken
        return []

    def wake(self) -> None:
        self._woken = True
        if self._pulling:
            # A push may wait, and a signal handler may not.
            threading.Thread(target=self._ring, daemon=True).start()

    def resubscribe(self) -> None:
        """Every pull stands for itself."""

    def close(self) -> None:
        self._closed = True
        self.wake()

    def _pull(self, limit: int, timeout: float) -> list[Delivery]:
        self._pulling = True
        try:
            # Looked at after it pulls for `wake`, which looks the other way round.
            if self._woken or self._closed:
                return []
            taken = self._layer.pull(self._queues, limit, timeout)
        except LayerUnavailable:
            time.sleep(min(_RETRY, timeout))
            return []
        finally:
            self._pulling = False
        self._queues.append(self._queues.pop(0))
        return self._layer.read([each for each in taken if each[0] != self._bell])

    def _ring(self) -> None:
        record = pack(
            Kind.CANARY,
            Canary(0),
            self._layer.clock(),
            life=_BELL_LIFE,
            version=self._layer.policy.version,
        )
        try:
            self._layer.push(self._bell, record, ttl=_BELL_LIFE, capacity=1)
        except LayerUnavailable:
            # Then the pull ends by itself.
            return


class _SimpleMailbox(Mailbox):
    """A thread that pulls, renews the lease, and hands batches to the loop."""

    def __init__(self, port: _SimplePort, name: str, owner: MailboxOwner) -> None:
        self.name = name
        self._layer = port.layer
        self._loop = port.loop
        self._owner = owner
        self._closed = False
        self._receiver = _SimpleReceiver(port.layer, [f"{name}!"])
        self._renewed = -math.inf
        self._restored = time.monotonic()
        self._thread = threading.Thread(
            target=self._run, name=f"fairway-{name}", daemon=True
        )
        self._thread.start()

    def resubscribe(self) -> None:
        """Every pull stands for itself."""

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._receiver.close()
        memberships = self._memberships()
        await self._loop.run_in_executor(None, self._end, memberships)

    def _end(self, memberships: list[tuple[str, str]]) -> None:
        self._thread.join()
        try:
            self._layer.end_lease(self.name)
            for group, channel in memberships:
                self._layer.leave(group, channel)
        except LayerUnavailable:
            # The lease ends by itself.
            return

    def _run(self) -> None:
        lease = self._layer.policy.mailbox_lease
        while not self._closed:
            try:
                self._keep_lease(lease / 3)
            except (LayerUnavailable, TimeoutError):
                time.sleep(_RETRY)
                continue
            batch = self._receiver.take(_BATCH, min(_SLICE, lease / 3))
            if batch and not self._closed:
                self._in_loop(lambda batch=batch: self._deliver(batch))  # type: ignore[misc]

    def _deliver(self, batch: list[Delivery]) -> None:
        if not self._closed:
            self._owner.deliver(batch)

    def _keep_lease(self, every: float) -> None:
        now = time.monotonic()
        if now - self._renewed < every:
            return
        lapsed = self._layer.renew(self.name)
        self._renewed = now
        if lapsed or now - self._restored > self._layer.policy.group_expiry / 3:
            self._restored = now
            come: Future[list[tuple[str, str]]] = Future()
            self._in_loop(lambda: come.set_result(self._memberships()))
            self._layer.restore(come.result(_BELL_LIFE))

    def _memberships(self) -> list[tuple[str, str]]:
        return [
            (group, f"{self.name}!{local}")
            for group, locals_ in self._owner.memberships().items()
            for local in locals_
        ]

    def _in_loop(self, call: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            # The loop closed without closing its mailboxes.
            self._closed = True


class _SimplePort(LayerPort):
    """Hands what a tick posts to one thread, which keeps the order."""

    def __init__(self, layer: SimpleLayer, loop: asyncio.AbstractEventLoop) -> None:
        self.layer = layer
        self.loop = loop
        self._thread = ThreadPoolExecutor(1, "fairway-port")
        self._posted: list[tuple[Operation, OutcomeDone | None]] = []

    def post(self, operation: Operation, done: OutcomeDone | None = None) -> None:
        if not self._posted:
            self.loop.call_soon(self._flush)
        self._posted.append((operation, done))

    async def apply(
        self, operations: Sequence[Operation], timeout: float = APPLY_TIMEOUT
    ) -> list[Outcome]:
        self._flush()
        work = self.loop.run_in_executor(
            self._thread, self.layer.apply, list(operations), timeout
        )
        try:
            async with asyncio.timeout(timeout + _RETRY):
                return await work
        except TimeoutError:
            return [Outcome.UNKNOWN] * len(operations)

    def mailbox(self, prefix: str, owner: MailboxOwner) -> Mailbox:
        return _SimpleMailbox(self, f"{prefix}.{secrets.token_hex(6)}", owner)

    async def claim(self, key: str, ttl: float, owner: str = "") -> bool:
        return await self.loop.run_in_executor(
            self._thread, self.layer.claim, key, ttl, owner
        )

    async def close(self) -> None:
        self._flush()
        await self.loop.run_in_executor(self._thread, lambda: None)
        self._thread.shutdown(wait=False)

    def _flush(self) -> None:
        if not self._posted:
            return
        posted, self._posted = self._posted, []
        operations = [operation for operation, _ in posted]
        work = self.loop.run_in_executor(self._thread, self.layer.apply, operations)

        def told(come: asyncio.Future[list[Outcome]]) -> None:
            for (_, done), outcome in zip(posted, come.result(), strict=True):
                if done is not None:
                    done(outcome)

        work.add_done_callback(told)
