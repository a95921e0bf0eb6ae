"""The memory layer: the queue engine under one lock, for one process.

Threads wait on a bell of their own, an event loop is called; nobody polls.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

import typing

from fairway.core.bus.engine import Engine, Entry
from fairway.core.bus.layer import (
    APPLY_TIMEOUT,
    ChannelLayer,
    ChannelStatistics,
    Delivery,
    LayerPolicy,
    LayerPort,
    Mailbox,
    MailboxOwner,
    Operation,
    Outcome,
    Receiver,
)

__all__ = ["MemoryLayer"]

_BATCH = 1000
"""Records that a mailbox hands over before the loop does something else."""


class _Listener(typing.Protocol):
    idle: bool

    def ring(self) -> None: ...


class MemoryLayer(ChannelLayer):
    """Queues and groups in this process; the default layer."""

    def __init__(self, url: str, policy: LayerPolicy) -> None:
        super().__init__(url, policy)
        self.engine = Engine(policy, self.drops)
        self.lock = threading.Lock()
        self._listeners: dict[str, list[_Listener]] = {}
        self._receivers: set[_MemoryReceiver] = set()

    def apply(
        self, operations: Sequence[Operation], timeout: float = APPLY_TIMEOUT
    ) -> list[Outcome]:
        """Carry out operations in order; never waits."""
        now = time.monotonic()
        engine = self.engine
        with self.lock:
            outcomes = [engine.apply(operation, now) for operation in operations]
            if engine.touched:
                self._ring(engine.touched)
                engine.touched = []
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

    def claim(self, key: str, ttl: float) -> bool:
        """Return True to exactly one caller for `ttl` seconds."""
        with self.lock:
            return self.engine.claim(key, ttl, time.monotonic())

    def statistics(self, channels: Sequence[str]) -> dict[str, ChannelStatistics]:
        """Return the state of channels."""
        now = time.monotonic()
        with self.lock:
            return {name: self.engine.statistics(name, now) for name in channels}

    def flush(self) -> None:
        """Forget all messages, groups and claims."""
        with self.lock:
            opened = [name for name in self._listeners if name.endswith("!")]
            self.engine = Engine(self.policy, self.drops)
            for name in opened:
                self.engine.open_mailbox(name[:-1])

    def close(self) -> None:
        """Close all receivers."""
        for receiver in list(self._receivers):
            receiver.close()

    def listen(self, channel: str, listener: _Listener) -> None:
        """Ring `listener` when something arrives; the lock must be held."""
        self._listeners.setdefault(channel, []).append(listener)
        if channel.endswith("!"):
            self.engine.open_mailbox(channel[:-1])

    def unlisten(self, channel: str, listener: _Listener) -> None:
        """Stop ringing, and ring others for what waits; the lock must be held."""
        listeners = self._listeners.get(channel, [])
        if listener in listeners:
            listeners.remove(listener)
        if listeners:
            self._ring([channel])
            return
        self._listeners.pop(channel, None)
        if channel.endswith("!"):
            self.engine.close_mailbox(channel[:-1])

    def forget(self, receiver: _MemoryReceiver) -> None:
        """Drop a receiver that closed; the lock must be held."""
        self._receivers.discard(receiver)

    def _ring(self, channels: Sequence[str]) -> None:
        for channel in channels:
            listeners = self._listeners.get(channel)
            if listeners is None:
                continue
            for listener in listeners:
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
        self._woken = False
        self._closed = False

    def ring(self) -> None:
        self._bell.put(None)

    def take(self, limit: int, timeout: float | None = None) -> list[Delivery]:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            now = time.monotonic()
            with self._layer.lock:
                if self._woken or self._closed:
                    self._woken = False
                    return []
                taken = self._layer.engine.take(self.channels, limit, now)
                if taken:
                    self._rotate()
                    return [_delivery(channel, entry) for channel, entry in taken]
                if end is not None and end <= now:
                    return []
                self.idle = True
            self._wait(None if end is None else end - now)

    def wake(self) -> None:
        with self._layer.lock:
            self._woken = True
            self._ring_if_idle()

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
            self._ring_if_idle()

    def _wait(self, timeout: float | None) -> None:
        try:
            self._bell.get(timeout=timeout)
        except Empty:
            with self._layer.lock:
                rung_meanwhile = not self.idle
                self.idle = False
            if rung_meanwhile:
                self._bell.get()

    def _ring_if_idle(self) -> None:
        if self.idle:
            self.idle = False
            self.ring()

    def _rotate(self) -> None:
        # Matters to takes that are smaller than the number of busy channels.
        self.channels.append(self.channels.pop(0))


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
        self._channel = [f"{name}!"]

    def ring(self) -> None:
        # The loop may be closing while a worker's thread still answers.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._drain)

    def resubscribe(self) -> None:
        """Nothing lies between this layer and its mailboxes."""

    async def close(self) -> None:
        with self._layer.lock:
            self.idle = False
            self._layer.unlisten(self._channel[0], self)

    def _drain(self) -> None:
        now = time.monotonic()
        with self._layer.lock:
            taken = self._layer.engine.take(self._channel, _BATCH, now)
            self.idle = len(taken) < _BATCH
        if len(taken) == _BATCH:
            self._loop.call_soon(self._drain)
        if taken:
            self._owner.deliver([_delivery(name, entry) for name, entry in taken])


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

    async def claim(self, key: str, ttl: float) -> bool:
        return self._layer.claim(key, ttl)

    async def close(self) -> None:
        self._flush()

    def _flush(self) -> None:
        posted, self._posted = self._posted, []
        outcomes = self._layer.apply([operation for operation, _ in posted])
        for (_, done), outcome in zip(posted, outcomes, strict=True):
            if done is not None:
                done(outcome)


def _delivery(channel: str, entry: Entry) -> Delivery:
    deadline, kind, body = entry
    return Delivery(channel, kind, body, deadline)
