"""The memory layer: the queue engine under one lock, for one process.

Threads wait on a bell of their own, an event loop is called; nobody polls.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
import typing
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from fairway.core.bus.engine import Engine
from fairway.core.bus.layer import (
    APPLY_TIMEOUT,
    ChannelLayer,
    ChannelStatistics,
    Delivery,
    LayerPolicy,
    LayerPort,
    Mailbox,
    MailboxOwner,
    Receiver,
)
from fairway.core.bus.operations import Operation, Outcome
from fairway.core.names import is_shared

__all__ = ["MemoryLayer"]

_BATCH = 1000
"""Records that a mailbox hands over before the loop does something else."""


class _Listener(typing.Protocol):
    idle: bool
    """Whether it wants to be rung; changed under the layer's lock only."""

    def ring(self) -> None:
        """Wake it; the lock is held."""


class MemoryLayer(ChannelLayer):
    """Queues and groups in this process; the default layer."""

    def __init__(self, url: str, policy: LayerPolicy) -> None:
        super().__init__(url, policy)
        self.engine = Engine(policy)
        self.lock = threading.Lock()
        self._listeners: dict[str, list[_Listener]] = {}
        self._receivers: set[_MemoryReceiver] = set()

    def apply(
        self, operations: Sequence[Operation], timeout: float = APPLY_TIMEOUT
    ) -> list[Outcome]:
        """Carry out operations in order; never waits."""
        now = time.monotonic()
        with self.lock:
            engine = self.engine
            outcomes = engine.apply(operations, now)
            if engine.touched:
                self._ring(engine.touched)
                engine.touched = {}
        self.count_dropped()
        return outcomes

    def receiver(self, channels: Sequence[str]) -> Receiver:
        """Listen to channels; a mailbox is named with its `!` at the end."""
        receiver = _MemoryReceiver(self, channels)
        with self.lock:
            self._receivers.add(receiver)
            for channel in receiver.channels:
                self.listen(channel, receiver)
        return receiver

    def port(self, loop: asyncio.AbstractEventLoop) -> LayerPort:
        """Return the layer's face for an event loop."""
        return _MemoryPort(self, loop)

    def group_channels(self, group: str) -> list[str]:
        """Return the members of a group."""
        with self.lock:
            return self.engine.members(group, time.monotonic())

    def claim(self, key: str, ttl: float, owner: str = "") -> bool:
        """Return True to exactly one caller, or owner, for `ttl` seconds."""
        with self.lock:
            return self.engine.claim(key, ttl, owner, time.monotonic())

    def statistics(self, channels: Sequence[str]) -> dict[str, ChannelStatistics]:
        """Return the state of channels."""
        now = time.monotonic()
        with self.lock:
            found = {name: self.engine.statistics(name, now) for name in channels}
        self.count_dropped()
        return found

    def flush(self) -> None:
        """Forget all messages, groups and claims; listeners stay."""
        with self.lock:
            self.engine = Engine(self.policy)
            for name in self._listeners:
                if name.endswith("!"):
                    self.engine.open_mailbox(name[:-1])

    def close(self) -> None:
        """Close all receivers."""
        with self.lock:
            receivers = list(self._receivers)
        for receiver in receivers:
            receiver.close()

    def listen(self, channel: str, listener: _Listener) -> None:
        """Ring `listener` when something arrives; the lock must be held."""
        self._listeners.setdefault(channel, []).append(listener)
        if channel.endswith("!"):
            self.engine.open_mailbox(channel[:-1])

    def unlisten(self, channel: str, listener: _Listener) -> None:
        """Stop ringing `listener`; the lock must be held."""
        listeners = self._listeners.get(channel, [])
        if listener in listeners:
            listeners.remove(listener)
        if listeners:
            return
        self._listeners.pop(channel, None)
        if channel.endswith("!") and not is_shared(channel):
            self.engine.close_mailbox(channel[:-1])

    def forget(self, receiver: _MemoryReceiver) -> None:
        """Drop a receiver that closed; the lock must be held."""
        self._receivers.discard(receiver)

    def pass_on(self, channels: Sequence[str], now: float) -> None:
        """Ring for what waits on channels; the lock must be held.

        Whoever was rung calls this when it leaves something behind: it may have taken
        from another channel than the one it was rung for, and nobody else was told.
        """
        self._ring(self.engine.ready(channels, now))

    def count_dropped(self) -> None:
        """Count what the engine dropped; without the lock, because it writes a log."""
        if self.engine.dropped:
            with self.lock:
                dropped, self.engine.dropped = self.engine.dropped, []
            for channel, reason, count in dropped:
                self.drops.add(channel, reason, count)

    def _ring(self, channels: Iterable[str]) -> None:
        for channel in channels:
            for listener in self._listeners.get(channel, ()):
                if listener.idle:
                    listener.idle = False
                    listener.ring()
                    break


class _MemoryReceiver(Receiver):
    def __init__(self, layer: MemoryLayer, channels: Sequence[str]) -> None:
        self.channels = list(dict.fromkeys(channels))
        self.idle = False
        self._layer = layer
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._waits = False
        self._woken = False
        self._closed = False

    def ring(self) -> None:
        self._bell.put(None)

    def take(self, limit: int, timeout: float | None = None) -> list[Delivery]:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            taken = self._take_now(limit, end)
            if taken is not None:
                self._layer.count_dropped()
                return taken
            with suppress(Empty):
                self._bell.get(timeout=end and max(0.0, end - time.monotonic()))

    def wake(self) -> None:
        # Without the lock: the thread that a signal interrupts may hold it. Putting is
        # reentrant.
        self._woken = True
        self._bell.put(None)

    def resubscribe(self) -> None:
        """Nothing lies between this layer and its receivers."""

    def close(self) -> None:
        with self._layer.lock:
            if self._closed:
                return
            self._closed = True
            for channel in self.channels:
                self._layer.unlisten(channel, self)
            self._layer.forget(self)
            self._layer.pass_on(self.channels, time.monotonic())
            self._bell.put(None)

    def _take_now(self, limit: int, end: float | None) -> list[Delivery] | None:
        """Return what to hand over, or None to wait for the bell."""
        now = time.monotonic()
        with self._layer.lock:
            rung = self._waits and not self.idle
            self.idle = self._waits = False
            if self._woken or self._closed:
                self._answer_wake(now)
                return []
            taken = self._layer.engine.take(self.channels, limit, now)
            if taken:
                # Matters to takes that are smaller than the number of busy channels.
                self.channels.append(self.channels.pop(0))
                if rung:
                    self._layer.pass_on(self.channels, now)
            elif end is None or now < end:
                self.idle = self._waits = True
                return None
            return taken

    def _answer_wake(self, now: float) -> None:
        self._woken = False
        with suppress(Empty):
            while True:
                self._bell.get_nowait()
        # It may have been rung for something that others can take.
        self._layer.pass_on(self.channels, now)


class _MemoryMailbox(Mailbox):
    def __init__(
        self,
        layer: MemoryLayer,
        loop: asyncio.AbstractEventLoop,
        name: str,
        owner: MailboxOwner,
    ) -> None:
        self.name = name
        self.idle = True
        self._layer = layer
        self._loop = loop
        self._owner = owner
        self._channel = f"{name}!"
        self._closed = False

    def ring(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._drain)
        except RuntimeError:
            # The loop closed while another thread still answers.
            self._closed = True

    def resubscribe(self) -> None:
        """Nothing lies between this layer and its mailboxes."""

    async def close(self) -> None:
        self._closed = True
        with self._layer.lock:
            self._layer.unlisten(self._channel, self)

    def _drain(self) -> None:
        if self._closed:
            return
        now = time.monotonic()
        with self._layer.lock:
            taken = self._layer.engine.take((self._channel,), _BATCH, now)
            self.idle = len(taken) < _BATCH
        if len(taken) == _BATCH:
            self._loop.call_soon(self._drain)
        self._layer.count_dropped()
        if taken:
            self._owner.deliver(taken)


class _MemoryPort(LayerPort):
    def __init__(self, layer: MemoryLayer, loop: asyncio.AbstractEventLoop) -> None:
        self._layer = layer
        self._loop = loop
        self._posted: list[tuple[Operation, Callable[[Outcome], None] | None]] = []

    def post(
        self, operation: Operation, done: Callable[[Outcome], None] | None = None
    ) -> None:
        if not self._posted:
            self._loop.call_soon(self._flush)
        self._posted.append((operation, done))

    async def apply(
        self, operations: Sequence[Operation], timeout: float = APPLY_TIMEOUT
    ) -> list[Outcome]:
        self._flush()
        return self._layer.apply(operations, timeout)

    def mailbox(self, prefix: str, owner: MailboxOwner) -> Mailbox:
        name = f"{prefix}.{secrets.token_hex(6)}"
        mailbox = _MemoryMailbox(self._layer, self._loop, name, owner)
        with self._layer.lock:
            self._layer.listen(f"{name}!", mailbox)
        return mailbox

    async def claim(self, key: str, ttl: float, owner: str = "") -> bool:
        return self._layer.claim(key, ttl, owner)

    async def close(self) -> None:
        self._flush()

    def _flush(self) -> None:
        if not self._posted:
            return
        posted, self._posted = self._posted, []
        outcomes = self._layer.apply([operation for operation, _ in posted])
        for (_, done), outcome in zip(posted, outcomes, strict=True):
            if done is not None:
                done(outcome)
