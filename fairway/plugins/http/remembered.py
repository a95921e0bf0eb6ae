"""A bounded table of what short bytes of clients and consumers mean.

Most of them come again and again, and reading them costs more than finding them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["Remembered"]

V = TypeVar("V")

_MOST = 1_024
_LONGEST = 256


class Remembered(dict[bytes, V]):
    """What `read` says of a key: at most 1,024 keys of at most 256 bytes.

    Emptied when it is full, so that a client with ever new keys costs the others what
    reading costs, nothing else.

    Args:
        read: reads a key; what it raises is passed on and not remembered.
        forget: whether a key shall not be kept, by what was read.
    """

    __slots__ = ("_forget", "_read")

    def __init__(
        self,
        read: Callable[[bytes], V],
        forget: Callable[[V], bool] = lambda value: False,
    ) -> None:
        super().__init__()
        self._read = read
        self._forget = forget

    def __missing__(self, key: bytes) -> V:
        """Read a key."""
        value = self._read(key)
        if len(key) <= _LONGEST and not self._forget(value):
            if len(self) >= _MOST:
                self.clear()
            self[key] = value
        return value
