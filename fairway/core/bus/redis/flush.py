"""Carries a list of operations through its two exchanges with Redis; pure.

The first exchange changes and reads groups, in program order; the second appends
records, in program order for each list. So a member that was added is in the directory
before its record enters the mailbox, and every later send enters behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairway.core.bus import operations as op
from fairway.core.bus.bodies import capacity_of, put, put_group
from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.operations import ACCEPTED, Operation, Outcome
from fairway.core.bus.record import Kind, pack_body, pack_header
from fairway.core.bus.redis.clock import ServerClock
from fairway.core.bus.redis.keys import Keys
from fairway.core.bus.redis.lease import promise
from fairway.core.bus.redis.resp import (
    Answer,
    Command,
    Missing,
    ReplyError,
    explain,
    is_outdated,
    is_refusal,
)
from fairway.core.bus.redis.scripts import ADD, DISCARD, JOIN, PUSH, REAP
from fairway.core.drops import Drop
from fairway.core.names import local_of, owner_of

__all__ = ["GROUP_TTL", "Flush"]

GROUP_TTL = 15 * 60.0
"""Seconds that a group's sets live after they were last written; renewed by repairs."""
_ALL_IN = (0, 0)
"""What a push answers with 0: nothing had expired, the lease was there, all stayed."""
_OF_GROUPS = frozenset({op.GroupAdd, op.GroupDiscard, op.GroupSend})
_PUSH_RECORDS = 500
"""Records of one script call, so that none holds the server for long."""
_PUSH_BYTES = 8 * 1024 * 1024
"""Bytes after which another call is begun."""


class _Push:
    """Records for one list, and which operation each belongs to."""

    __slots__ = ("lease", "life", "owners", "queue", "records", "size")

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.lease: str | None = None
        self.life = 0.0
        self.records: list[bytes] = []
        self.owners: list[int] = []
        self.size = 0


class Flush:
    """Operations on their way.

    Call `first`, exchange what it returns, `second` with the answers, exchange, then
    `finish` with the answers. A list of commands may be empty.

    Args:
        now: local time.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        keys: Keys,
        clock: ServerClock,
        *,
        policy: LayerPolicy,
        now: float,
    ) -> None:
        self.dropped: list[tuple[str, Drop, int]] = []
        """(channel, reason, count) of messages that were dropped on the way."""
        self.refusal: str | None = None
        """Why the server refused a command, if it did."""
        self.outdated = False
        """Whether another connection may see a server that does not refuse."""
        self.written = False
        """Whether the server appended anything."""
        self.reaps: list[Command] = []
        """What takes mailboxes without a lease out of their groups; after `finish`."""
        self._operations = operations
        self._keys = keys
        self._policy = policy
        self._now = clock.server(now)
        self._outcomes: list[Outcome | None] = [None] * len(operations)
        self._asked: dict[int, int] = {}
        self._open: dict[str, _Push] = {}
        self._pushes: list[_Push] = []
        self._headers: dict[tuple[Kind, float], bytes] = {}

    def first(self) -> list[Command]:
        """Return the commands that change and read groups."""
        commands: list[Command] = []
        if _OF_GROUPS.isdisjoint(map(type, self._operations)):
            return commands
        fetched: dict[str, int] = {}
        for index, operation in enumerate(self._operations):
            match operation:
                case op.GroupAdd(group=group):
                    fetched.pop(group, None)
                    self._asked[index] = len(commands)
                    commands += self._adding(operation)
                case op.GroupDiscard(group=group):
                    fetched.pop(group, None)
                    self._asked[index] = len(commands)
                    commands.append(self._discarding(operation))
                case op.GroupSend(group=group):
                    if group not in fetched:
                        fetched[group] = len(commands)
                        commands += self._fetching(group)
                    self._asked[index] = fetched[group]
        return commands

    def second(self, answers: Sequence[Answer]) -> list[Command]:
        """Return the commands that append records."""
        for index, operation in enumerate(self._operations):
            asked = self._asked.get(index) if self._asked else None
            if asked is None:
                self._put(index, operation)
            elif isinstance(operation, op.GroupSend):
                self._fan_out(index, operation, answers[asked : asked + 2])
            else:
                self._note(index, self._outcome(answers[asked]))
                self._tell_mailbox(index, operation)
        return [self._command(push) for push in self._pushes]

    def finish(self, answers: Sequence[Answer]) -> list[Outcome]:
        """Return what became of each operation."""
        for push, answer in zip(self._pushes, answers, strict=True):
            if answer == 0 or isinstance(answer, list):
                self.written = True
                self._appended(push, answer or _ALL_IN)
            else:
                outcome = self._outcome(answer)
                for owner in push.owners:
                    self._note(owner, outcome)
        return [outcome or ACCEPTED for outcome in self._outcomes]

    def _adding(self, add: op.GroupAdd) -> list[Command]:
        keys, mailbox = self._keys, owner_of(add.channel)
        if not mailbox:
            life = int(self._policy.group_expiry * 1000)
            return [JOIN([keys.plain(add.group)], add.channel, life)]
        where = [keys.group(add.group), keys.members(add.group, mailbox)]
        life = int(GROUP_TTL * 1000)
        adding = ADD(where, mailbox, life, local_of(add.channel))
        return [adding, promise(keys, mailbox)]

    def _discarding(self, discard: op.GroupDiscard) -> Command:
        keys, mailbox = self._keys, owner_of(discard.channel)
        if not mailbox:
            return ("ZREM", keys.plain(discard.group), discard.channel)
        where = [keys.group(discard.group), keys.members(discard.group, mailbox)]
        return DISCARD(where, mailbox, local_of(discard.channel))

    def _fetching(self, group: str) -> list[Command]:
        present = int(self._now * 1000)
        return [
            ("SMEMBERS", self._keys.group(group)),
            ("ZRANGEBYSCORE", self._keys.plain(group), f"({present}", "+inf"),
        ]

    def _tell_mailbox(self, index: int, operation: Operation) -> None:
        match operation:
            case op.GroupAdd(channel=channel) | op.GroupDiscard(channel=channel):
                told = bool(owner_of(channel))
            case _:
                told = False
        if told and self._outcomes[index] is ACCEPTED:
            self._put(index, operation)

    def _fan_out(
        self, index: int, send: op.GroupSend, answers: Sequence[Answer]
    ) -> None:
        mailboxes, plain = answers
        if not (isinstance(mailboxes, list) and isinstance(plain, list)):
            # Only read so far, whatever became of that.
            self._outcome(mailboxes)
            self._note(index, Outcome.UNAVAILABLE)
            return
        kind, body, life = put_group(send, self._policy)
        record = self._header(kind, life) + pack_body(body)
        for name in mailboxes:
            mailbox = name.decode()
            lease = self._keys.lease(mailbox)
            self._append(index, f"{mailbox}!", record, life, lease=lease)
        for name in plain:
            channel = name.decode()
            if channel not in send.exclude:
                self._put(index, op.Send(channel, send.content, life))

    def _put(self, index: int, operation: Operation) -> None:
        """Append the record of an operation to its queue."""
        queue, kind, body, life = put(operation, self._policy)
        # Most records of a flush have one of few headers.
        header = self._headers.get((kind, life)) or self._header(kind, life)
        self._append(index, queue, header + pack_body(body), life)

    def _header(self, kind: Kind, life: float) -> bytes:
        version = self._policy.version
        header = pack_header(kind, self._now, life=life, version=version)
        self._headers[kind, life] = header
        return header

    def _append(
        self,
        index: int,
        queue: str,
        record: bytes,
        life: float,
        *,
        lease: str | None = None,
    ) -> None:
        push = self._open.get(queue)
        if (
            push is None
            or len(push.records) >= _PUSH_RECORDS
            or push.size >= _PUSH_BYTES
        ):
            push = self._open[queue] = _Push(queue)
            self._pushes.append(push)
        push.records.append(record)
        push.size += len(record)
        push.owners.append(index)
        if lease is not None:
            push.lease = lease
        if life > push.life:
            push.life = life

    def _command(self, push: _Push) -> Command:
        keys = [self._keys.queue(push.queue)]
        if push.lease is not None:
            keys.append(push.lease)
        capacity = capacity_of(push.queue, self._policy)
        # A second more than its records, for takes that are on their way.
        life = int((push.life + 1.0) * 1000)
        return PUSH(keys, capacity, life, *push.records)

    def _appended(self, push: _Push, answer: Sequence[int]) -> None:
        expired, lapsed, *left_out = answer
        if expired:
            self.dropped.append((push.queue, Drop.EXPIRED, expired))
        if not lapsed and not left_out:
            # Without groups each operation has this one step: nothing to join it to.
            for owner in push.owners if self._asked else ():
                self._note(owner, ACCEPTED)
            return
        refused = set(left_out)
        for position, owner in enumerate(push.owners):
            full = position in refused
            operation = self._operations[owner]
            if full and isinstance(operation, op.GroupSend):
                reason = Drop.GONE if lapsed else Drop.FULL
                self.dropped.append((push.queue, reason, 1))
                full = False
            if lapsed and isinstance(operation, op.GroupSend):
                self._reap(operation.group, push.queue[:-1])
            self._note(owner, Outcome.FULL if full else ACCEPTED)

    def _reap(self, group: str, mailbox: str) -> None:
        keys = [self._keys.group(group), self._keys.members(group, mailbox)]
        self.reaps.append(REAP(keys, mailbox))

    def _outcome(self, answer: Answer) -> Outcome:
        if answer is Missing.NOT_WRITTEN:
            return Outcome.UNAVAILABLE
        if answer is Missing.NO_ANSWER:
            return Outcome.UNKNOWN
        if isinstance(answer, ReplyError):
            self.refusal = explain(answer)
            self.outdated = self.outdated or is_outdated(answer)
            return Outcome.UNAVAILABLE if is_refusal(answer) else Outcome.UNKNOWN
        return ACCEPTED

    def _note(self, index: int, outcome: Outcome) -> None:
        """Join the outcome of one step of an operation to those of its other steps."""
        before = self._outcomes[index]
        if before is None or before is outcome:
            self._outcomes[index] = outcome
        elif {before, outcome} == {ACCEPTED, Outcome.FULL}:
            self._outcomes[index] = Outcome.FULL
        else:
            # Part of it was carried out, so it must not be repeated.
            self._outcomes[index] = Outcome.UNKNOWN
