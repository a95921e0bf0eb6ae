"""Bytes that wait on disk, first in first out: long bodies, answers to slow clients.

All file work is done in threads, in order: a page-cache write is quick until the kernel
decides to write back, and then it would stop the loop for everybody. What is on its way
to the disk is counted, so that whoever fills a spool can be told to wait.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from fairway.kit import Host

__all__ = ["Spool", "Spools"]

_MAX_PENDING = 1024 * 1024
"""Bytes that may wait in memory for the disk before there is no room."""
_SLACK = 4 * 1024 * 1024
"""Bytes beyond a limit that are kept all the same: what was under way when whoever
fills a spool was told to wait."""


class _Append(Struct, frozen=True, gc=False):
    data: bytes


class _Read(Struct, frozen=True):
    size: int
    call: Callable[[bytes], None]


class _Flush(Struct, frozen=True):
    call: Callable[[], None]


_Job: TypeAlias = _Append | _Read | _Flush


class Spools:
    """All spools of one process, and what they may have on disk together.

    Args:
        folder: where files are made; None for the system's.
        limit: bytes on disk.
    """

    def __init__(self, host: Host, folder: str | None, limit: int) -> None:
        self.host = host
        self.folder = folder
        self.limit = limit
        self.on_disk = 0
        """Bytes that files have, or will have in a moment."""
        self.files = 0
        """Spools that have some of them."""

    def open(
        self, limit: int, changed: Callable[[], None], failed: Callable[[str], None]
    ) -> Spool:
        """Return an empty spool; its file is made when it is needed.

        Args:
            limit: bytes that it may have on disk.
            changed: called when something pending got to the disk.
            failed: called once with the reason when the disk does not take it.
        """
        return Spool(self, limit, changed, failed)


class Spool:
    """One first-in-first-out of bytes, of the loop; made by `Spools.open`."""

    __slots__ = (
        "_changed",
        "_discarded",
        "_failed",
        "_file",
        "_jobs",
        "_limit",
        "_running",
        "_spools",
        "on_disk",
        "pending",
        "size",
    )

    def __init__(
        self,
        spools: Spools,
        limit: int,
        changed: Callable[[], None],
        failed: Callable[[str], None],
    ) -> None:
        self.size = 0
        """Bytes that nobody asked for yet."""
        self.pending = 0
        """Bytes that are not on disk yet."""
        self.on_disk = 0
        """Bytes that the file has or will have; it shrinks only when all are read."""
        self._spools = spools
        self._limit = limit
        self._changed = changed
        self._failed = failed
        self._file = _File(spools.folder)
        self._jobs: deque[_Job] = deque()
        self._running = False
        self._discarded = False

    @property
    def is_behind(self) -> bool:
        """Whether so much waits for the disk that nothing should be added."""
        return self.pending >= _MAX_PENDING

    @property
    def has_room(self) -> bool:
        """Whether more may be appended."""
        spools = self._spools
        return (
            not self.is_behind
            and self.on_disk < self._limit
            and spools.on_disk < spools.limit
        )

    @property
    def is_over(self) -> bool:
        """Whether there is far more than there is room for."""
        spools = self._spools
        return self.on_disk > self._limit + _SLACK or (
            spools.on_disk > spools.limit and self.on_disk > _SLACK
        )

    def append(self, data: bytes) -> None:
        """Put bytes at the end."""
        if self._discarded:
            return
        self.size += len(data)
        self.pending += len(data)
        self._count(len(data))
        self._add(_Append(data))

    def read(self, size: int, call: Callable[[bytes], None]) -> None:
        """Take up to `size` bytes from the front and call with them, later."""
        size = min(size, self.size)
        self.size -= size
        self._add(_Read(size, call))

    def flush(self, call: Callable[[], None]) -> None:
        """Call when everything that was appended is on disk."""
        self._add(_Flush(call))

    def discard(self) -> None:
        """Forget everything and free the disk; nobody is called any more."""
        if self._discarded:
            return
        self._discarded = True
        self._jobs.clear()
        self._count(-self.on_disk)
        self.size = self.pending = 0
        if not self._running:
            self._start()

    def _add(self, job: _Job) -> None:
        if self._discarded:
            return
        self._jobs.append(job)
        if not self._running:
            self._start()

    def _start(self) -> None:
        self._running = True
        self._spools.host.spawn(self._work())

    def _count(self, size: int) -> None:
        before = self.on_disk
        self.on_disk += size
        self._spools.on_disk += size
        self._spools.files += bool(self.on_disk) - bool(before)

    async def _work(self) -> None:
        try:
            while self._jobs and not self._discarded:
                await self._do(self._jobs.popleft())
        except OSError as error:
            if not self._discarded:
                self.discard()
                self._failed(f"{error.strerror or error}")
        finally:
            self._running = False
            if self._discarded:
                await asyncio.shield(self._spools.host.blocking(self._file.close))

    async def _do(self, job: _Job) -> None:
        host = self._spools.host
        match job:
            case _Append():
                data = self._joined(job.data)
                await host.blocking(self._file.append, data)
                if not self._discarded:
                    self.pending -= len(data)
                    self._changed()
            case _Read(size=size, call=call):
                data = await host.blocking(self._file.read, size)
                if not self._discarded:
                    await self._shrink()
                    call(data)
            case _Flush(call=call):
                call()

    def _joined(self, first: bytes) -> bytes:
        """Return all bytes that can be written in one go."""
        parts = [first]
        while self._jobs and isinstance(job := self._jobs[0], _Append):
            parts.append(job.data)
            self._jobs.popleft()
        return b"".join(parts)

    async def _shrink(self) -> None:
        """Give the disk back when everything was read."""
        if self.size == 0 and self.pending == 0 and not self._jobs:
            freed = self.on_disk
            await self._spools.host.blocking(self._file.clear)
            if not self._discarded:
                self._count(-freed)


class _File:
    """A file without a name, written at its end and read from its front; may block."""

    __slots__ = ("_descriptor", "_folder", "_read", "_written")

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._descriptor = -1
        self._read = 0
        self._written = 0

    def append(self, data: bytes) -> None:
        if self._descriptor < 0:
            self._descriptor, path = tempfile.mkstemp(
                prefix="fairway-", dir=self._folder
            )
            os.unlink(path)
        rest = memoryview(data)
        while rest:
            count = os.pwrite(self._descriptor, rest, self._written)
            self._written += count
            rest = rest[count:]

    def read(self, size: int) -> bytes:
        parts = []
        while size:
            part = os.pread(self._descriptor, size, self._read)
            if not part:
                raise OSError("the file of a spool is shorter than it was")
            self._read += len(part)
            size -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def clear(self) -> None:
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
        self._read = self._written = 0

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
