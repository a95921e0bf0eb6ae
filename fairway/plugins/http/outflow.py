"""The way of an answer to a client that takes it as fast as it likes.

Some of it may wait in memory; what is more waits on disk.
"""

from __future__ import annotations

import typing

from fairway.kit import Stream
from fairway.plugins.http.spool import Spool, Spools

__all__ = ["IN_MEMORY", "Outflow"]

IN_MEMORY = 256 * 1024
"""Bytes of one connection that wait in memory before the disk is used."""
_CHUNK = 256 * 1024
"""Bytes that are read from disk at once."""


class _Owner(typing.Protocol):
    def has_room(self) -> None:
        """More can be kept again."""

    def outflow_failed(self, reason: str) -> None:
        """What was to be kept is lost."""


class _Nobody:
    def has_room(self) -> None:
        pass

    def outflow_failed(self, reason: str) -> None:
        pass


class Outflow:
    """Writes to a stream, in order, at the client's speed.

    Args:
        limit: bytes of one connection that may wait on disk.
        memory: bytes of it that may wait in memory.
    """

    __slots__ = (
        "_blocked",
        "_closing",
        "_limit",
        "_memory",
        "_owner",
        "_reading",
        "_ready",
        "_spool",
        "_spools",
        "_stream",
    )

    def __init__(
        self,
        owner: _Owner,
        stream: Stream,
        spools: Spools,
        limit: int,
        *,
        memory: int = IN_MEMORY,
    ) -> None:
        self._owner: _Owner = owner
        self._stream = stream
        self._spools = spools
        self._limit = limit
        self._memory = memory
        self._spool: Spool | None = None
        self._ready = True
        self._closing = False
        # Bytes that are being read from disk.
        self._reading = 0
        # Whether somebody was told that there is no room.
        self._blocked = False

    @property
    def backlog(self) -> int:
        """Bytes that the client did not take yet."""
        waiting = self._stream.unsent_bytes
        if self._spool is not None:
            waiting += self._spool.size + self._reading
        return waiting

    @property
    def is_on_disk(self) -> bool:
        """Whether anything has to be read back before the client gets it."""
        return self._spool is not None

    def room(self) -> bool:
        """Return whether more can be kept; if not, the owner hears when it can."""
        self._blocked = self._spool is not None and not self._spool.has_room
        return not self._blocked

    def write(self, data: bytes) -> None:
        """Send bytes, or keep them."""
        if self._spool is None:
            stream = self._stream
            if self._ready or stream.unsent_bytes + len(data) <= self._memory:
                stream.write(data)
                return
            self._spool = self._spools.open(self._limit, self._look, self._failed)
        self._spool.append(data)
        if self._spool.is_over:
            self._failed("too much waits for a slow client")
        else:
            self._refill()

    def writable(self, ready: bool) -> None:
        """Take note of what the stream says."""
        self._ready = ready
        self._refill()

    def half_close(self) -> None:
        """Tell the client that nothing follows, unless some waits on disk."""
        if self._spool is None:
            self._stream.half_close()

    def close(self) -> None:
        """Close the stream once everything was sent."""
        self._closing = True
        if self._spool is None:
            self._stream.close()

    def discard(self) -> None:
        """Forget what is kept."""
        if self._spool is not None:
            self._spool.discard()
            self._spool = None

    def end(self) -> None:
        """The stream has ended: forget what is kept, and whom to tell of it."""
        self.discard()
        self._owner = _Nobody()

    def _refill(self) -> None:
        spool = self._spool
        if spool is not None and self._ready and not self._reading and spool.size:
            self._reading = min(spool.size, _CHUNK)
            spool.read(_CHUNK, self._refilled)

    def _refilled(self, data: bytes) -> None:
        self._reading = 0
        self._stream.write(data)
        if self._spool is not None and self._spool.size == 0:
            self.discard()
            if self._closing:
                self._stream.close()
        else:
            self._refill()
        self._look()

    def _look(self) -> None:
        if self._blocked and self.room():
            self._owner.has_room()

    def _failed(self, reason: str) -> None:
        self.discard()
        self._owner.outflow_failed(reason)
