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

from fairway.core.bus.arrivals import read_records
from fairway.core.bus.layer import APPLY_TIMEOUT, Delivery, Receiver, Told
from fairway.core.bus.operations import Operation
from fairway.core.bus.redis.bus import Bus
from fairway.core.bus.redis.carrier import carry_out
from fairway.core.bus.redis.keys import Keys
from fairway.core.bus.redis.lease import SLICE, is_put_off, renew, slice_of
from fairway.core.bus.redis.link import Link
from fairway.core.bus.redis.outage import Backoff
from fairway.core.bus.redis.pool import connect
from fairway.core.bus.redis.readers import introduce
from fairway.core.bus.redis.remains import bury, count_buried
from fairway.core.bus.redis.resp import (
    Answer,
    Command,
    LinkDown,
    ReplyError,
    checked,
    explain,
)
from fairway.core.bus.redis.rotation import Rotation

__all__ = ["RedisReceiver"]

_GRACE = 1.0
"""Seconds that an answer may be late; a take that ends waits for it, because Redis may
have taken messages for it."""
_DEAD = 3.0
"""Seconds after which a connection without an answer is given up."""
_SHORTEST_CONNECT = 0.5


class RedisReceiver(Receiver):
    """Takes by BLMPOP, and by a script from all queues where several are busy.

    `wake` pushes on a list of this receiver's own, in front of its queues. Unlike
    CLIENT UNBLOCK that cannot come too early: who is not blocked yet finds it.
    """

    def __init__(self, bus: Bus, channels: Sequence[str]) -> None:
        self._bus = bus
        self._queues = tuple(dict.fromkeys(channels))
        self._mailboxes = [name[:-1] for name in self._queues if name[-1] == "!"]
        self._token = secrets.token_hex(8)
        self._link: Link | None = None
        self._keys: Keys | None = None
        self._slice = slice_of(bus.policy.mailbox_lease)
        self._rotation = Rotation({}, "", self._slice)
        self._asked = False
        self._asked_until = 0.0
        self._leased = -math.inf
        self._renewing = 0
        self._surplus: deque[Delivery] = deque()
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
        except BaseException:
            # Half of an answer may have been read.
            self._drop_link()
            raise
        else:
            self._backoff.reset()
        # Also what came beside an error: who was woken may never take again.
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
        names = {link.keys.queue(name): name for name in self._queues}
        self._rotation = Rotation(names, link.keys.bell(self._token), self._slice)
        self._leased = -math.inf
        return link

    def _asking(self, link: Link, limit: int, end: float) -> list[Command]:
        """Return the commands of a take, which are to be written at once."""
        now = time.monotonic()
        wait = min(self._slice, end - now)
        self._asked = True
        self._asked_until = now + max(wait, 0.0)
        leases = self._leases(link, now)
        self._renewing = len(leases)
        return leases + self._rotation.pops(limit, wait)

    def _leases(self, link: Link, now: float) -> list[Command]:
        lease = self._bus.policy.mailbox_lease
        if not self._mailboxes or now - self._leased < lease / 3:
            return []
        self._leased = now
        return [renew(link.keys, name, lease) for name in self._mailboxes]

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
        self._asked = False
        renewals, answers = answers[: self._renewing], answers[self._renewing :]
        if any(map(is_put_off, renewals)):
            self._leased = -math.inf
            renewals = [answer for answer in renewals if not is_put_off(answer)]
        served = self._read(link, renewals + answers)
        room = limit - len(self._surplus)
        if len(served) > 1 and room > 0 and not self._rotation.crowded:
            deadline = time.monotonic() + _DEAD
            gathered = link.exchange([self._rotation.gather(room)], deadline)
            served |= self._read(link, checked(gathered, link.failure))
        self._rotation.served(served, much=4 * len(self._surplus) >= limit)

    def _read(self, link: Link, answers: list[Answer]) -> set[str]:
        """Read the records in answers and return the keys of their lists.

        Raises:
            LinkDown: one is an error; what the others brought is in `_surplus`.
        """
        now, ahead = time.monotonic(), link.clock.local(0.0)
        served: set[str] = set()
        error: ReplyError | None = None
        for answer in answers:
            if not isinstance(answer, list):
                error = answer if isinstance(answer, ReplyError) else error
                continue
            # [key, records] of a pop, [index, records, index, records, ...] of GATHER.
            for where, records in zip(answer[::2], answer[1::2], strict=True):
                if (found := self._rotation.name_of(where)) is not None:
                    key, name = found
                    served.add(key)
                    self._surplus += read_records(
                        name, records, ahead=ahead, drops=self._bus.drops, now=now
                    )
        if error is not None:
            raise LinkDown(explain(error))
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
        self._asked = False

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
