"""The blocking receiver: one connection that waits on all its queues at once."""

from __future__ import annotations

import math
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from fairway.core.bus.layer import (
    APPLY_TIMEOUT,
    Delivery,
    Operation,
    Receiver,
    Told,
)
from fairway.core.bus.redis.arrivals import bury, count_buried, read_records
from fairway.core.bus.redis.bus import Bus
from fairway.core.bus.redis.carrier import carry_out
from fairway.core.bus.redis.keys import Keys
from fairway.core.bus.redis.lease import SLICE, renew, slice_of
from fairway.core.bus.redis.link import Link
from fairway.core.bus.redis.outage import Backoff
from fairway.core.bus.redis.pool import connect
from fairway.core.bus.redis.readers import introduce
from fairway.core.bus.redis.resp import (
    Answer,
    Command,
    LinkDown,
    ReplyError,
    checked,
    explain,
)
from fairway.core.bus.redis.scripts import GATHER

__all__ = ["RedisReceiver"]

_GRACE = 1.0
"""Seconds that an answer may be late; a take that ends waits for it, because Redis may
have taken messages for it."""
_DEAD = 3.0
"""Seconds after which a connection without an answer is given up."""
_SHORTEST_CONNECT = 0.5
_ELSEWHERE = 1 / 8
"""Of a take, what stays free for other queues than the first that holds something."""
_SHORTEST_WAIT = 0.001
"""Below that BLMPOP would wait forever."""


class RedisReceiver(Receiver):
    """Takes by BLMPOP, and by a script from all queues where several are busy.

    LMPOP in the same write begins at the other end of the queues. So what it finds
    says whether several are busy; for as long as that is so, the script goes along at
    once. The queues stand in the order in which they were served last.

    `wake` pushes on a list of this receiver's own, in front of its queues. Unlike
    CLIENT UNBLOCK that cannot come too early: who is not blocked yet finds it.
    """

    def __init__(self, bus: Bus, channels: Sequence[str]) -> None:
        self._bus = bus
        self._queues = tuple(dict.fromkeys(channels))
        self._token = secrets.token_hex(8)
        self._link: Link | None = None
        self._keys: Keys | None = None
        self._names: dict[str, str] = {}
        self._asked: list[str] = []
        self._asked_until = 0.0
        self._leased = -math.inf
        self._surplus: deque[Delivery] = deque()
        self._crowded = False
        self._backoff = Backoff()
        self._taking = threading.Lock()
        self._woken = False
        self._renew = False
        self._closed = False
        self._bell, self._hammer = socket.socketpair()
        self._bell.setblocking(False)
        self._hammer.setblocking(False)

    def take(self, limit: int, timeout: float | None = None) -> list[Delivery]:
        """Wait for messages; see the contract."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        with self._taking:
            return self._take(limit, end)

    def apply_and_take(
        self, operations: Sequence[Operation], told: Told, limit: int
    ) -> list[Delivery]:
        """Carry out operations and take, in one write if nothing stands against it."""
        with self._taking:
            link = self._link
            if link is None or not self._is_at_rest(link):
                told(self._bus.apply(operations))
                return self._take(limit, math.inf)
            try:
                outcomes, outdated = carry_out(
                    self._bus,
                    link,
                    operations,
                    deadline=time.monotonic() + APPLY_TIMEOUT,
                    behind=self._asking(link, limit, math.inf),
                )
            except BaseException:
                self._drop_link()
                raise
            told(outcomes)
            # Even when it was woken: what was asked for may have been taken already.
            taken = self._step(limit, math.inf)
            if outdated:
                self._drop_link()
            return taken or self._take(limit, math.inf)

    def _is_at_rest(self, link: Link) -> bool:
        """Return whether a connection is there on which nothing is awaited."""
        idle = not (self._asked or self._surplus or self._woken or self._renew)
        return idle and not self._closed and not link.is_stale()

    def _take(self, limit: int, end: float) -> list[Delivery]:
        while not self._closed:
            if self._woken:
                self._woken = False
                self._silence()
                break
            taken = self._step(limit, end)
            if taken or time.monotonic() >= end:
                return taken
        return []

    def wake(self) -> None:
        """Make a take return; the thread that takes does the rest."""
        self._woken = True
        # Full of earlier calls is as good; closed needs none.
        with suppress(OSError):
            self._hammer.send(b"!")

    def resubscribe(self) -> None:
        """Make the thread that takes drop its connection."""
        self._renew = True
        with suppress(OSError):
            self._hammer.send(b"!")

    def close(self) -> None:
        """Give everything back, as soon as a running take has returned."""
        self._closed = True
        self.wake()
        if self._taking.acquire(timeout=SLICE + _GRACE + _DEAD):
            self._taking.release()
        if self._link is not None:
            self._link.close()
        self._bell.close()
        self._hammer.close()
        self._bus.forget(self)

    def _step(self, limit: int, end: float) -> list[Delivery]:
        """Take once; returns nothing when there is reason to look around again."""
        if self._surplus:
            return self._hand_over(limit)
        try:
            if self._renew:
                self._renew = False
                self._drop_link()
            link = self._link or self._connect(end)
            if not self._asked:
                asking = self._asking(link, limit, end)
                link.write(asking, time.monotonic() + _DEAD)
            answers = self._wait(link, end)
            if answers is None:
                return []
            self._receive(link, answers, limit)
        except LinkDown as down:
            self._lose(down)
            self._pause(end)
            return []
        except BaseException:
            # Half of an answer may have been read.
            self._drop_link()
            raise
        self._backoff.reset()
        return self._hand_over(limit)

    def _connect(self, end: float) -> Link:
        patience = max(_SHORTEST_CONNECT, end - time.monotonic())
        self._link = link = connect(self._bus.address, self._bus.outage, patience)
        before, self._keys = self._keys, link.keys
        if before is not None and before.prefix != link.keys.prefix:
            self.emptied += 1
            answers = link.exchange(
                bury(before, self._queues), time.monotonic() + _DEAD
            )
            count_buried(self._queues, answers, self._bus.drops)
        # A server that forbids names tells nobody who reads; nothing else needs them.
        link.exchange([introduce(self._queues)], time.monotonic() + _DEAD)
        self._names = {link.keys.queue(name): name for name in self._queues}
        self._leased = -math.inf
        return link

    def _asking(self, link: Link, limit: int, end: float) -> list[Command]:
        """Return the commands of a take, which are to be written at once."""
        now = time.monotonic()
        wait = min(slice_of(self._bus.policy.mailbox_lease), end - now)
        commands = self._leases(link, now)
        queues, first = list(self._names), 0
        if wait >= _SHORTEST_WAIT:
            first = 1 if self._crowded else _first_share(limit, len(queues))
            keys = [link.keys.bell(self._token), *queues]
            blocking: Command = ("BLMPOP", f"{wait:.3f}", len(keys), *keys)
            commands.append((*blocking, "LEFT", "COUNT", first))
        # From the other end: the queue that BLMPOP took from comes last.
        queues.reverse()
        if limit > first:
            if self._crowded or not first:
                commands.append(GATHER(queues, limit - first))
            else:
                other: Command = ("LMPOP", len(queues), *queues, "LEFT")
                commands.append((*other, "COUNT", limit - first))
        self._asked = queues
        self._asked_until = now + max(wait, 0.0)
        return commands

    def _leases(self, link: Link, now: float) -> list[Command]:
        lease = self._bus.policy.mailbox_lease
        mailboxes = [name[:-1] for name in self._queues if name[-1] == "!"]
        if not mailboxes or now - self._leased < lease / 3:
            return []
        self._leased = now
        return [renew(link.keys, name, lease) for name in mailboxes]

    def _wait(self, link: Link, end: float) -> list[Answer] | None:
        """Return the answers, or None when a take is to end without them."""
        dead = self._asked_until + _DEAD
        last = min(dead, end + _GRACE)
        answers = link.read(last, self._bell)
        if answers is None and time.monotonic() < last:
            self._silence()
            if self._woken:
                self._bus.ring(link.keys.bell(self._token))
                answers = link.read(min(dead, time.monotonic() + _GRACE))
        if answers is None and time.monotonic() >= dead:
            raise LinkDown("no answer in time", written=True)
        return answers

    def _receive(self, link: Link, answers: list[Answer], limit: int) -> None:
        """Read the answers to a take, and what it left in other queues."""
        asked, self._asked = self._asked, []
        served = self._read(link, answers, asked)
        room = limit - len(self._surplus)
        if len(served) > 1 and room > 0 and not self._crowded:
            gather = [GATHER(asked, room)]
            deadline = time.monotonic() + _DEAD
            served |= self._read(
                link, checked(link.exchange(gather, deadline), link.failure), asked
            )
        self._crowded = len(served) > 1
        for key in served:
            self._names[key] = self._names.pop(key)

    def _read(self, link: Link, answers: list[Answer], asked: list[str]) -> set[str]:
        """Read the records in answers and return the lists that they come from."""
        now = time.monotonic()
        served: set[str] = set()
        for answer in answers:
            if isinstance(answer, ReplyError):
                raise LinkDown(explain(answer))
            if not isinstance(answer, list):
                continue
            # [key, records] of a pop, [index, records, index, records, ...] of GATHER.
            for where, records in zip(answer[::2], answer[1::2], strict=True):
                key = asked[where] if isinstance(where, int) else where.decode()
                if (name := self._names.get(key)) is not None:
                    served.add(key)
                    self._surplus += read_records(
                        name, records, link.clock, drops=self._bus.drops, now=now
                    )
        return served

    def _hand_over(self, limit: int) -> list[Delivery]:
        count = min(limit, len(self._surplus))
        return [self._surplus.popleft() for _ in range(count)]

    def _lose(self, down: LinkDown) -> None:
        link = self._link
        if link is not None:
            self._bus.outage.begin(down.reason, link.heard)
        self._drop_link()

    def _drop_link(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None
        self._asked = []

    def _pause(self, end: float) -> None:
        """Wait before the next attempt to connect, or for the bell."""
        wait = min(self._backoff.wait(), max(0.0, end - time.monotonic()))
        self._bell.settimeout(wait or 0.001)
        with suppress(OSError):
            self._bell.recv(1)
        self._bell.setblocking(False)

    def _silence(self) -> None:
        with suppress(OSError):
            while self._bell.recv(4096):
                pass


def _first_share(limit: int, queues: int) -> int:
    """Return how much of a take may come from the first queue that holds something."""
    return limit - min(queues - 1, max(1, int(limit * _ELSEWHERE))) if limit > 1 else 1
