"""Events on their way to the bus, and those that it does not take yet.

A channel that is full, or a layer that is away, makes a line of waiting events; one
task per line tries its head again, so that an outage costs no timer per peer.
"""

from __future__ import annotations

import asyncio
import random
import time
import typing
from collections import deque
from collections.abc import Callable, Coroutine
from itertools import islice
from typing import Any

from msgspec import Struct

from fairway.core.bus.layer import LayerPort
from fairway.core.bus.operations import ACCEPTED, Outcome, Send
from fairway.core.content import Content
from fairway.core.plugin.host import Refusal
from fairway.interfaces.peers import HoldReason, LocalPeer

__all__ = ["NOT_TAKEN", "Outbound", "Post", "Sender"]

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_TRY_TIMEOUT = 2.0
_WIDEST = 256
NOT_TAKEN = {
    Outcome.FULL: Refusal.FULL,
    Outcome.UNAVAILABLE: Refusal.UNAVAILABLE,
}
"""Outcomes after which a post may be tried again."""


class Sender(typing.Protocol):
    """Who is told what became of a post."""

    def hold(self, peer: LocalPeer, reason: HoldReason, held: bool) -> None:
        """Stop or resume reading from a peer."""

    def refused(self, post: Post, why: Refusal) -> None:
        """The bus did not take it for as long as it may wait."""


class Post(Struct, eq=False):
    """One record on its way; compared by identity."""

    sender: Sender
    peer: LocalPeer | None
    operation: Send
    contents: tuple[Content, ...]
    deadline: float
    """Until when the bus may take it."""
    why: Refusal = Refusal.FULL
    outbound: Outbound | None = None

    @property
    def channel(self) -> str:
        """The channel it is for."""
        return self.operation.channel

    def __call__(self, outcome: Outcome) -> None:
        """Take what became of it; the object itself spares a closure per event."""
        # Asked first, because an enumeration's members are hashed in Python.
        why = None if outcome is ACCEPTED else NOT_TAKEN.get(outcome)
        if why is None:
            if self.peer is not None:
                self.peer.sent = self.operation.order
        elif self.outbound is not None:
            self.why = why
            self.outbound.line_up(self)


class Outbound:
    """Sends posts, in order for each peer, and keeps those that are not taken."""

    def __init__(
        self,
        port: LayerPort,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._port = port
        self._spawn = spawn
        self._lines: dict[str, deque[Post]] = {}

    @property
    def waiting(self) -> int:
        """How many posts the bus did not take yet."""
        return sum(len(line) for line in self._lines.values())

    def send(self, post: Post) -> None:
        """Send a post, behind those of its peer or channel that wait."""
        peer = post.peer
        if peer is not None and peer.behind is not None:
            peer.behind.append(post)
        elif self._lines and post.channel in self._lines:
            self.line_up(post)
        else:
            post.outbound = self
            self._port.post(post.operation, post)

    def line_up(self, post: Post) -> None:
        """Keep a post that was not taken, or refuse it when its patience is over."""
        if post.deadline <= time.monotonic():
            post.sender.refused(post, post.why)
            return
        peer = post.peer
        if peer is not None and peer.behind is None:
            peer.behind = []
            post.sender.hold(peer, HoldReason.BUS, True)
        line = self._lines.get(post.channel)
        if line is None:
            line = self._lines[post.channel] = deque()
            self._spawn(self._drain(post.channel, line))
        line.append(post)

    async def _drain(self, channel: str, line: deque[Post]) -> None:
        """Try the head of a line until nothing is left in it."""
        pause, width = _FIRST_PAUSE, 1
        while True:
            await asyncio.sleep(self._wait(line, pause))
            self._refuse_overdue(line)
            taken = await self._try(line, width)
            if not line:
                break
            if taken:
                pause, width = 0.0, min(2 * width, _WIDEST)
            else:
                pause, width = min(2 * pause, _LONGEST_PAUSE) or _FIRST_PAUSE, 1
        del self._lines[channel]

    async def _try(self, line: deque[Post], width: int) -> bool:
        """Send the first posts; return whether all of them were taken."""
        batch = list(islice(line, width))
        if not batch:
            return True
        operations = [post.operation for post in batch]
        outcomes = await self._port.apply(operations, _TRY_TIMEOUT)
        left = []
        for post, outcome in zip(batch, outcomes, strict=True):
            line.popleft()
            why = NOT_TAKEN.get(outcome)
            if why is None:
                post(outcome)
                self._go_on(post)
            else:
                post.why = why
                left.append(post)
        line.extendleft(reversed(left))
        return not left

    def _refuse_overdue(self, line: deque[Post]) -> None:
        # Events of one channel have one patience: the oldest stand in front.
        now = time.monotonic()
        while line and line[0].deadline <= now:
            post = line.popleft()
            post.sender.refused(post, post.why)
            self._go_on(post)

    def _go_on(self, post: Post) -> None:
        """Let what stands behind a post follow it."""
        peer = post.peer
        if peer is None or peer.behind is None:
            return
        behind, peer.behind = peer.behind, None
        post.sender.hold(peer, HoldReason.BUS, False)
        for follower in behind:
            self.send(follower)

    def _wait(self, line: deque[Post], pause: float) -> float:
        patience = line[0].deadline - time.monotonic()
        return max(0.0, min(pause * random.uniform(0.5, 1.0), patience))

    def abandon(self) -> None:
        """Refuse what the bus did not take; nothing may be sent any more."""
        for line in self._lines.values():
            for post in line:
                post.sender.refused(post, post.why)
        self._lines.clear()
