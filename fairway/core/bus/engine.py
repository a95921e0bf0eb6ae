"""The queue engine under the memory layer: operations and the time in, effects out.

Pure: no lock, no clock, no thread. Whoever runs it serialises the calls, passes the
time (seconds, any steady clock), rings whoever waits on the channels in `touched` and
counts what is in `dropped`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from fairway.core.bus import operations as op
from fairway.core.bus.bodies import capacity_of, is_control, put, put_group
from fairway.core.bus.layer import ChannelStatistics, Delivery, LayerPolicy
from fairway.core.bus.operations import ACCEPTED, Outcome
from fairway.core.drops import Drop
from fairway.core.names import local_of, owner_of

__all__ = ["MAILBOX_BYTES", "PROVISIONAL_LEASE", "Engine", "Entry"]

MAILBOX_BYTES = 64 * 1024 * 1024
"""Bytes of content that may wait in a mailbox."""
PROVISIONAL_LEASE = 30.0
"""Seconds that a mailbox nobody has opened yet stays a member of its groups."""
_SWEEP_EVERY = 5.0
_FOREVER = float("inf")
_OF_GROUPS = frozenset({op.GroupSend, op.GroupAdd, op.GroupDiscard})
_WITH_CONTENT = op.Send, op.Answer


class Entry(Delivery, frozen=True, gc=False):
    """What waits on a queue, in the form in which it will be handed over."""

    size: int = 0
    """Bytes of content; only those in mailboxes are counted."""


class _Queue:
    __slots__ = ("capacity", "entries", "size")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        """How many messages it may hold; records of control: twice as many."""
        self.entries: deque[Entry] = deque()
        self.size = 0


class _Group:
    __slots__ = ("mailboxes", "plain")

    def __init__(self) -> None:
        self.mailboxes: dict[str, set[str]] = {}
        self.plain: dict[str, float] = {}


class Engine:
    """Queues, groups, leases and claims as plain data.

    A queue is named as in `bodies.put`: a channel, or a mailbox with its `!`. A
    queue without entries does not exist.
    """

    def __init__(self, policy: LayerPolicy) -> None:
        self.policy = policy
        self.touched: dict[str, None] = {}
        """Queues that got something; the caller clears it."""
        self.dropped: list[tuple[str, Drop, int]] = []
        """(channel, reason, count) of what was dropped; the caller clears it."""
        self._queues: dict[str, _Queue] = {}
        self._groups: dict[str, _Group] = {}
        self._leases: dict[str, float] = {}
        self._claims: dict[str, tuple[float, str]] = {}
        self._swept = 0.0

    def apply(self, operations: Sequence[op.Operation], now: float) -> list[Outcome]:
        """Carry out operations in order."""
        if now - self._swept > _SWEEP_EVERY:
            self._sweep(now)
        carry_out = self._put
        if not _OF_GROUPS.isdisjoint(map(type, operations)):
            carry_out = self._change
        return [carry_out(operation, now) for operation in operations]

    def take(self, channels: Sequence[str], limit: int, now: float) -> list[Delivery]:
        """Take up to `limit` entries, one of each channel in turn."""
        ready = self.ready(channels, now)
        if len(ready) == 1:
            return self._take_one(ready[0], limit, now)
        taken: list[Delivery] = []
        while ready and len(taken) < limit:
            served = ready[: limit - len(taken)]
            taken += [self._pop(name) for name in served]
            ready = self.ready(served, now)
        return taken

    def ready(self, channels: Sequence[str], now: float) -> list[str]:
        """Return the queues on which something waits that has not expired."""
        queues = self._queues  # most of those that a worker listens to are empty
        return [name for name in channels if name in queues and self._has(name, now)]

    def _has(self, name: str, now: float) -> bool:
        queue = self._queues.get(name)
        if queue is None:
            return False
        if queue.entries[0].deadline > now:
            return True
        self._trim(name, queue, now)
        return name in self._queues

    def open_mailbox(self, mailbox: str) -> None:
        """Keep a mailbox in its groups until it is closed."""
        self._leases[mailbox] = _FOREVER

    def close_mailbox(self, mailbox: str) -> None:
        """Forget a mailbox, what waits in it, and its memberships."""
        self._leases.pop(mailbox, None)
        self._queues.pop(f"{mailbox}!", None)
        for name in [n for n, g in self._groups.items() if mailbox in g.mailboxes]:
            del self._groups[name].mailboxes[mailbox]
            self._drop_if_empty(name)

    def members(self, group: str, now: float) -> list[str]:
        """Return the channels of a group."""
        if (found := self._groups.get(group)) is None:
            return []
        self._reap(found, now)
        locals_ = [
            f"{m}!{local}" for m, all_ in found.mailboxes.items() for local in all_
        ]
        return locals_ + list(found.plain)

    def claim(self, key: str, ttl: float, owner: str, now: float) -> bool:
        """Give `key` to the first caller, or again to its owner, for `ttl` seconds."""
        end, holder = self._claims.get(key, (0.0, ""))
        if end > now and (not owner or holder != owner):
            return False
        self._claims[key] = (now + ttl, owner)
        return True

    def statistics(self, channel: str, now: float) -> ChannelStatistics:
        """Return the state of a channel."""
        if not self._has(channel, now):
            return ChannelStatistics(0, None)
        entries = self._queues[channel].entries
        sent = entries[0].sent
        return ChannelStatistics(len(entries), None if sent is None else now - sent)

    def _take_one(self, name: str, limit: int, now: float) -> list[Delivery]:
        queue = self._queues[name]
        entries = queue.entries
        taken: list[Delivery] = []
        expired = 0
        while entries and len(taken) < limit:
            entry = entries.popleft()
            queue.size -= entry.size
            if entry.deadline > now:
                taken.append(entry)
            else:
                expired += 1
        if expired:
            self.dropped.append((name, Drop.EXPIRED, expired))
        if not entries:
            del self._queues[name]
        return taken

    def _put(self, operation: op.Operation, now: float) -> Outcome:
        name, kind, body, expiry = put(operation, self.policy)
        size = 0
        if name[-1] == "!" and isinstance(operation, _WITH_CONTENT):
            size = len(operation.content)
        return self._push(Entry(name, kind, body, now + expiry, now, size), now)

    def _push(self, entry: Entry, now: float) -> Outcome:
        name, size = entry.channel, entry.size
        queue = self._queues.get(name)
        if queue is not None and queue.entries[0].deadline <= now:
            self._trim(name, queue, now)
            queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = _Queue(capacity_of(name, self.policy))
        elif len(queue.entries) >= queue.capacity or queue.size + size > MAILBOX_BYTES:
            full = not is_control(entry.kind)
            if full or len(queue.entries) >= queue.capacity * 2:
                return Outcome.FULL
        queue.entries.append(entry)
        queue.size += size
        self.touched[name] = None
        return ACCEPTED

    def _change(self, operation: op.Operation, now: float) -> Outcome:
        match operation:
            case op.GroupSend():
                return self._group_send(operation, now)
            case op.GroupAdd():
                return self._group_add(operation, now)
            case op.GroupDiscard():
                return self._group_discard(operation, now)
            case _:
                return self._put(operation, now)

    def _group_send(self, send: op.GroupSend, now: float) -> Outcome:
        if (group := self._groups.get(send.group)) is None:
            return ACCEPTED
        self._reap(group, now)
        kind, body, expiry = put_group(send, self.policy)
        until, size = now + expiry, len(send.content)
        for mailbox in group.mailboxes:
            entry = Entry(f"{mailbox}!", kind, body, until, now, size)
            if self._push(entry, now) is Outcome.FULL:
                self.dropped.append((mailbox, Drop.FULL, 1))
        for channel in group.plain:
            if channel not in send.exclude:
                plain = op.Send(channel, send.content, expiry)
                if self._put(plain, now) is Outcome.FULL:
                    self.dropped.append((channel, Drop.FULL, 1))
        return ACCEPTED

    def _group_add(self, add: op.GroupAdd, now: float) -> Outcome:
        mailbox = owner_of(add.channel)
        if not mailbox:
            group = self._groups.setdefault(add.group, _Group())
            group.plain[add.channel] = now + self.policy.group_expiry
            return ACCEPTED
        outcome = self._put(add, now)
        if outcome is ACCEPTED:
            group = self._groups.setdefault(add.group, _Group())
            group.mailboxes.setdefault(mailbox, set()).add(local_of(add.channel))
            if self._leases.get(mailbox, 0.0) <= now:
                self._leases[mailbox] = now + PROVISIONAL_LEASE
        return outcome

    def _group_discard(self, discard: op.GroupDiscard, now: float) -> Outcome:
        if (group := self._groups.get(discard.group)) is None:
            return ACCEPTED
        mailbox, local = owner_of(discard.channel), local_of(discard.channel)
        outcome = ACCEPTED
        if not mailbox:
            group.plain.pop(discard.channel, None)
        elif local in (locals_ := group.mailboxes.get(mailbox, set())):
            locals_.discard(local)
            if not locals_:
                del group.mailboxes[mailbox]
            outcome = self._put(discard, now)
        self._drop_if_empty(discard.group)
        return outcome

    def _pop(self, name: str) -> Entry:
        queue = self._queues[name]
        entry = queue.entries.popleft()
        queue.size -= entry.size
        if not queue.entries:
            del self._queues[name]
        return entry

    def _trim(self, name: str, queue: _Queue, now: float) -> None:
        """Drop expired heads, and the queue when nothing is left."""
        entries = queue.entries
        expired = 0
        while entries and entries[0].deadline <= now:
            queue.size -= entries.popleft().size
            expired += 1
        if expired:
            self.dropped.append((name, Drop.EXPIRED, expired))
        if not entries:
            del self._queues[name]

    def _reap(self, group: _Group, now: float) -> None:
        for mailbox in [m for m in group.mailboxes if self._leases.get(m, 0.0) <= now]:
            del group.mailboxes[mailbox]
        for channel in [c for c, end in group.plain.items() if end <= now]:
            del group.plain[channel]

    def _drop_if_empty(self, name: str) -> None:
        group = self._groups.get(name)
        if group is not None and not group.mailboxes and not group.plain:
            del self._groups[name]

    def _sweep(self, now: float) -> None:
        """Free what nobody will ask for again."""
        self._swept = now
        for name, queue in list(self._queues.items()):
            self._trim(name, queue, now)
        for group_name, group in list(self._groups.items()):
            self._reap(group, now)
            self._drop_if_empty(group_name)
        for mailbox in [m for m, end in self._leases.items() if end <= now]:
            del self._leases[mailbox]
        for key in [key for key, (end, _) in self._claims.items() if end <= now]:
            del self._claims[key]
