"""The order of one peer's events, decided purely.

At most one record of a peer is on the bus. What happens meanwhile waits here and leaves
together, events of one kind, once the record has ended.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from fairway.core.content import Content, Encoded

__all__ = ["Batch", "PeerOrder"]

_BATCH_EVENTS = 256
_BATCH_BYTES = 256 * 1024


class _Waiting(Struct, frozen=True, gc=False):
    channel: str
    payload: Encoded
    content: Content


class Batch(Struct, frozen=True):
    """Events of one kind that leave in one record."""

    channel: str
    payloads: tuple[Encoded, ...]
    contents: tuple[Content, ...]
    """What was encoded, to give back when the bus does not take it."""
    order: int
    """The order of the last of them."""


class PeerOrder:
    """Orders one peer's events; belongs to whoever calls it, knows no time."""

    __slots__ = ("_on_bus", "line", "number", "size", "state")

    def __init__(self) -> None:
        self.number = 0
        """The `order` of the next event."""
        self.size = 0
        """Bytes that wait."""
        self.state: Encoded | None = None
        """The peer's state as consumers left it."""
        self._on_bus: int | None = None
        self.line: deque[_Waiting] | None = None
        """What waits; None for most peers, which are idle most of the time."""

    @property
    def waiting(self) -> int:
        """How many events wait."""
        return len(self.line) if self.line else 0

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is on the bus."""
        return self._on_bus is None and not self.line

    def pass_by(self) -> int | None:
        """Let the next event leave at once; return its order, None if it must wait."""
        if self._on_bus is not None or self.line:
            return None
        number = self._on_bus = self.number
        self.number = number + 1
        return number

    def add(self, channel: str, payload: Encoded, content: Content) -> None:
        """Append an event; its payload carries `number` as its order."""
        if self.line is None:
            self.line = deque()
        self.line.append(_Waiting(channel, payload, content))
        self.size += len(payload)
        self.number += 1

    def release(self) -> Batch | None:
        """Take what may leave, None while a record is on the bus or nothing waits."""
        waiting = self.line
        if self._on_bus is not None or not waiting:
            return None
        first = waiting.popleft()
        payloads, contents, size = [first.payload], [first.content], len(first.payload)
        while waiting and waiting[0].channel == first.channel:
            size += len(waiting[0].payload)
            if size > _BATCH_BYTES or len(payloads) == _BATCH_EVENTS:
                size -= len(waiting[0].payload)
                break
            event = waiting.popleft()
            payloads.append(event.payload)
            contents.append(event.content)
        self.size -= size
        self._on_bus = self.number - len(waiting) - 1
        if not waiting:
            self.line = None
        return Batch(first.channel, tuple(payloads), tuple(contents), self._on_bus)

    def ended(self, order: int) -> bool:
        """End the record whose last event has this order; False when it is another."""
        if self._on_bus != order:
            return False
        self._on_bus = None
        return True

    def is_on_bus(self, order: int) -> bool:
        """Return whether the record on the bus is the one of this order."""
        return self._on_bus == order

    def give_up(self) -> int | None:
        """End the record on the bus without an answer; return its order."""
        order, self._on_bus = self._on_bus, None
        return order
