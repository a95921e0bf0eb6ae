"""The queue engine under the memory layer: operations and the time in, effects out.

Pure: no lock, no clock, no thread. Whoever runs it serialises the calls, passes the
time (seconds, any steady clock) and rings whoever waits on the channels it names.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from fairway.core.bus import layer as op
from fairway.core.bus import record
from fairway.core.bus.layer import ChannelStatistics, LayerPolicy, Outcome, raw
from fairway.core.bus.record import Body, Kind
from fairway.core.drops import Drop, Drops
from fairway.core.names import local_of, mailbox_of

__all__ = ["Engine", "Entry"]

Entry = tuple[float, Kind, Body]
"""What waits on a channel: deadline, kind, body."""

MAILBOX_BYTES = 64 * 1024 * 1024
PROVISIONAL_LEASE = 30.0
"""Seconds that a mailbox nobody has opened yet stays a member of its groups."""
_SWEEP_EVERY = 5.0
_FOREVER = float("inf")


class _Queue:
    __slots__ = ("entries", "size")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.size = 0


class _Group:
    __slots__ = ("mailboxes", "plain")

    def __init__(self) -> None:
        self.mailboxes: dict[str, set[str]] = {}
        self.plain: dict[str, float] = {}


class Engine:
    """Queues, groups, leases and claims as plain data.

    After `apply`, `touched` names the channels that got something (a mailbox with its
    `!`); the caller rings their listeners and clears it.
    """

    def __init__(self, policy: LayerPolicy, drops: Drops) -> None:
        self.policy = policy
        self.drops = drops
        self.touched: list[str] = []
        self._queues: dict[str, _Queue] = {}
        self._groups: dict[str, _Group] = {}
        self._leases: dict[str, float] = {}
        self._claims: dict[str, float] = {}
        self._swept = 0.0

    def apply(self, operation: op.Operation, now: float) -> Outcome:
        """Carry out one operation."""
        if now - self._swept > _SWEEP_EVERY:
            self._sweep(now)
        match operation:
            case op.Send():
                return self._send(operation, now)
            case op.Done(reply_channel=channel, order=order, state=state):
                done = record.Done(local_of(channel), order, raw(state))
                return self._control(channel, Kind.DONE, done, now)
            case op.GroupSend():
                return self._group_send(operation, now)
            case op.GroupAdd(group=group, channel=channel):
                return self._group_add(group, channel, now)
            case op.GroupDiscard(group=group, channel=channel):
                return self._group_discard(group, channel, now)
            case op.Busy(reply_channel=channel, order=order):
                busy = record.Busy(local_of(channel), order)
                return self._control(channel, Kind.BUSY, busy, now)
            case op.Lost(reply_channel=channel, order=order):
                lost = record.Lost(local_of(channel), order)
                return self._control(channel, Kind.LOST, lost, now)
            case op.Forward(reply_channel=channel, content=content):
                forward = record.Forward(local_of(channel), record.Raw(content))
                return self._control(channel, Kind.FORWARD, forward, now)
            case op.Canary(mailbox=mailbox, token=token):
                canary = record.Canary(token)
                return self._control(f"{mailbox}!", Kind.CANARY, canary, now)

    def take(
        self, channels: Sequence[str], limit: int, now: float
    ) -> list[tuple[str, Entry]]:
        """Take up to `limit` entries, one of each channel in turn."""
        ready = [
            (channel, queue)
            for channel in channels
            if (queue := self._queues.get(channel)) and self._trim(channel, queue, now)
        ]
        if len(ready) == 1:
            channel, queue = ready[0]
            count = min(limit, len(queue.entries))
            return [(channel, self._pop(channel, queue)) for _ in range(count)]
        taken: list[tuple[str, Entry]] = []
        while ready and len(taken) < limit:
            waiting = []
            for channel, queue in ready[: limit - len(taken)]:
                taken.append((channel, self._pop(channel, queue)))
                if queue.entries and self._trim(channel, queue, now):
                    waiting.append((channel, queue))
            ready = waiting
        return taken

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
        locals_ = [f"{m}!{local}" for m, all_ in found.mailboxes.items() for local in all_]
        return locals_ + list(found.plain)

    def claim(self, key: str, ttl: float, now: float) -> bool:
        """Give `key` to the first caller for `ttl` seconds."""
        if self._claims.get(key, 0.0) > now:
            return False
        self._claims[key] = now + ttl
        return True

    def statistics(self, channel: str, now: float) -> ChannelStatistics:
        """Return the state of a channel; its age is unknown to this engine."""
        queue = self._queues.get(channel)
        waiting = len(queue.entries) if queue and self._trim(channel, queue, now) else 0
        return ChannelStatistics(waiting, None)

    def _send(self, send: op.Send, now: float) -> Outcome:
        channel = send.channel
        body: Body
        if send.events is not None:
            events = [record.Raw(event) for event in send.events]
            body = record.Event(
                record.Raw(send.content), events, send.order, raw(send.state)
            )
            kind = Kind.EVENT
        else:
            mailbox = mailbox_of(channel)
            local = local_of(channel) if mailbox else ""
            body = record.Message(local, record.Raw(send.content))
            kind = Kind.MESSAGE
        expiry = self.policy.expiry(channel) if send.expiry is None else send.expiry
        return self._push(channel, (now + expiry, kind, body), now, len(send.content))

    def _control(self, channel: str, kind: Kind, body: Body, now: float) -> Outcome:
        entry = (now + op.CONTROL_EXPIRY, kind, body)
        return self._push(channel, entry, now, 0, control=True)

    def _push(
        self, channel: str, entry: Entry, now: float, size: int, control: bool = False
    ) -> Outcome:
        mailbox = mailbox_of(channel)
        key = f"{mailbox}!" if mailbox else channel
        if (queue := self._queues.get(key)) is None:
            queue = self._queues[key] = _Queue()
        if queue.entries and queue.entries[0][0] <= now:
            self._trim(key, queue, now)
        policy = self.policy
        room = policy.mailbox_capacity if mailbox else policy.capacity(channel)
        if len(queue.entries) >= (room * 2 if control else room):
            return Outcome.FULL
        if mailbox and not control and queue.size + size > MAILBOX_BYTES:
            return Outcome.FULL
        queue.entries.append(entry)
        queue.size += size
        self.touched.append(key)
        return Outcome.ACCEPTED

    def _group_send(self, send: op.GroupSend, now: float) -> Outcome:
        if (group := self._groups.get(send.group)) is None:
            return Outcome.ACCEPTED
        self._reap(group, now)
        expiry = self.policy.expiry(send.group) if send.expiry is None else send.expiry
        content = record.Raw(send.content)
        shared = record.GroupMessage(send.group, content, list(send.exclude))
        entry: Entry = (now + expiry, Kind.GROUP, shared)
        size = len(send.content)
        for mailbox in group.mailboxes:
            if self._push(f"{mailbox}!", entry, now, size) is Outcome.FULL:
                self.drops.add(mailbox, Drop.FULL)
        plain: Entry = (now + expiry, Kind.MESSAGE, record.Message("", content))
        for channel in group.plain:
            if channel not in send.exclude:
                if self._push(channel, plain, now, size) is Outcome.FULL:
                    self.drops.add(channel, Drop.FULL)
        return Outcome.ACCEPTED

    def _group_add(self, name: str, channel: str, now: float) -> Outcome:
        group = self._groups.setdefault(name, _Group())
        mailbox = mailbox_of(channel)
        if not mailbox:
            group.plain[channel] = now + op.GROUP_EXPIRY
            return Outcome.ACCEPTED
        local = local_of(channel)
        body = record.Membership(name, local)
        outcome = self._control(channel, Kind.ADD, body, now)
        if outcome is Outcome.ACCEPTED:
            group.mailboxes.setdefault(mailbox, set()).add(local)
            self._leases.setdefault(mailbox, now + PROVISIONAL_LEASE)
        else:
            self._drop_if_empty(name)
        return outcome

    def _group_discard(self, name: str, channel: str, now: float) -> Outcome:
        if (group := self._groups.get(name)) is None:
            return Outcome.ACCEPTED
        mailbox, local = mailbox_of(channel), local_of(channel)
        outcome = Outcome.ACCEPTED
        if not mailbox:
            group.plain.pop(channel, None)
        elif local in (locals_ := group.mailboxes.get(mailbox, set())):
            locals_.discard(local)
            if not locals_:
                del group.mailboxes[mailbox]
            body = record.Membership(name, local)
            outcome = self._control(channel, Kind.DISCARD, body, now)
        self._drop_if_empty(name)
        return outcome

    def _pop(self, channel: str, queue: _Queue) -> Entry:
        entry = queue.entries.popleft()
        if not queue.entries:
            self._queues.pop(channel, None)
        elif channel.endswith("!"):
            body = entry[2]
            if isinstance(body, (record.Message, record.GroupMessage)):
                queue.size -= len(bytes(body.content))
        return entry

    def _trim(self, channel: str, queue: _Queue, now: float) -> bool:
        """Drop expired heads; return whether anything is left."""
        entries = queue.entries
        expired = 0
        while entries and entries[0][0] <= now:
            entries.popleft()
            expired += 1
        if expired:
            self.drops.add(channel, Drop.EXPIRED, expired)
        if not entries:
            self._queues.pop(channel, None)
        return bool(entries)

    def _reap(self, group: _Group, now: float) -> None:
        for mailbox in [m for m in group.mailboxes if self._leases.get(m, 0.0) <= now]:
            del group.mailboxes[mailbox]
            self._leases.pop(mailbox, None)
        for channel in [c for c, end in group.plain.items() if end <= now]:
            del group.plain[channel]

    def _drop_if_empty(self, name: str) -> None:
        group = self._groups.get(name)
        if group is not None and not group.mailboxes and not group.plain:
            del self._groups[name]

    def _sweep(self, now: float) -> None:
        """Free what nobody will ask for again."""
        self._swept = now
        for channel, queue in list(self._queues.items()):
            self._trim(channel, queue, now)
        for name, group in list(self._groups.items()):
            self._reap(group, now)
            self._drop_if_empty(name)
        _drop_past(self._claims, now)


def _drop_past(deadlines: dict[str, float], now: float) -> None:
    past: Iterable[str] = [key for key, end in deadlines.items() if end <= now]
    for key in past:
        del deadlines[key]
