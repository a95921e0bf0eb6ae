"""What waits for a client, numbered, until the client says that it has it."""

from __future__ import annotations

__all__ = ["Outbox"]


class Outbox:
    """Messages that the client may not have yet; the first of all has number 1."""

    __slots__ = ("_items", "_trimmed", "sent", "size")

    def __init__(self) -> None:
        self._items: list[bytes] = []
        self._trimmed = 0  # the number of the last one that is gone
        self.sent = 0
        """The number of the last one that was handed out."""
        self.size = 0
        """Bytes of all."""

    def __len__(self) -> int:
        return len(self._items)

    @property
    def last(self) -> int:
        """The number of the newest message."""
        return self._trimmed + len(self._items)

    def add(self, item: bytes) -> None:
        """Keep a message."""
        self._items.append(item)
        self.size += len(item)

    def knows(self, after: int) -> bool:
        """Return whether all that follows a number is still here."""
        return after >= self._trimmed

    def take(self, after: int) -> list[bytes]:
        """Hand out all that follows a number."""
        self.sent = self.last
        return self._items[after - self._trimmed :]

    def drop(self, through: int) -> None:
        """Forget what the client has."""
        count = through - self._trimmed
        if count > 0:
            self.size -= sum(map(len, self._items[:count]))
            del self._items[:count]
            self._trimmed = through

    def trim(self, count: int, size: int) -> None:
        """Forget the oldest of those that were handed out, until few are left."""
        while self._trimmed < self.sent and (
            len(self._items) > count or self.size > size
        ):
            self.drop(self._trimmed + 1)

    def clear(self) -> None:
        """Forget all."""
        self.sent = self.last
        self.drop(self.last)
