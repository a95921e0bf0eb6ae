"""Bytes that wait on disk, with real files and real threads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest

from fairway.kit import Host
from fairway.plugins.http.spool import Spool, Spools

KIB = 1024


class Beside:
    """What a spool needs of a host: threads and tasks."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()

    async def blocking(self, call: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.to_thread(call, *args)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.add(asyncio.get_running_loop().create_task(work))

    async def settle(self) -> None:
        while pending := [task for task in self.tasks if not task.done()]:
            await asyncio.gather(*pending)


class Bench:
    """A spool and what it said."""

    def __init__(self, folder: Path, *, limit: int = 10**9, total: int = 10**9) -> None:
        self.beside = Beside()
        self.spools = Spools(cast(Host, self.beside), str(folder), total)
        self.read: list[bytes] = []
        self.failures: list[str] = []
        self.changes = 0
        self.spool = self.open(limit)

    def open(self, limit: int = 10**9) -> Spool:
        return self.spools.open(limit, self.changed, self.failures.append)

    def changed(self) -> None:
        self.changes += 1


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def run(
    work: Callable[[Bench], Coroutine[Any, Any, None]], bench: Callable[[], Bench]
) -> None:
    async def main() -> None:
        made = bench()
        await work(made)
        made.spool.discard()
        await made.beside.settle()

    asyncio.run(main())


def test_what_was_appended_is_read_in_order_in_any_sizes(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        for number in range(10):
            bench.spool.append(bytes([number]) * 1_000)
        for size in (1, 2_500, 10_000):
            bench.spool.read(size, bench.read.append)
        await bench.beside.settle()

        assert [len(part) for part in bench.read] == [1, 2_500, 7_499]
        expected = b"".join(bytes([number]) * 1_000 for number in range(10))
        assert b"".join(bench.read) == expected
        assert bench.spool.size == 0

    run(work, lambda: Bench(tmp_path))


def test_reading_and_appending_may_alternate(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        for number in range(5):
            bench.spool.append(b"%d" % number * 100)
            bench.spool.read(60, bench.read.append)
            await bench.beside.settle()
        bench.spool.read(10_000, bench.read.append)
        await bench.beside.settle()

        assert b"".join(bench.read) == b"".join(b"%d" % n * 100 for n in range(5))

    run(work, lambda: Bench(tmp_path))


def test_the_file_has_no_name(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.spool.append(b"x")
        await bench.beside.settle()

        assert os.listdir(tmp_path) == []
        assert bench.spool.on_disk == 1

    run(work, lambda: Bench(tmp_path))


def test_the_disk_is_given_back_when_everything_was_read(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.spool.append(b"x" * 1_000)
        bench.spool.read(400, bench.read.append)
        await bench.beside.settle()
        assert bench.spools.on_disk == 1_000

        bench.spool.read(600, bench.read.append)
        await bench.beside.settle()
        assert bench.spools.on_disk == 0

        bench.spool.append(b"again")
        bench.spool.read(5, bench.read.append)
        await bench.beside.settle()
        assert bench.read[-1] == b"again"

    run(work, lambda: Bench(tmp_path))


def test_discarding_frees_the_disk_at_once_and_calls_nobody(tmp_path: Path) -> None:
    before = descriptors()

    async def work(bench: Bench) -> None:
        bench.spool.append(b"x" * 1_000_000)
        await bench.beside.settle()
        bench.spool.append(b"y")
        bench.spool.read(5, bench.read.append)
        bench.spool.discard()

        assert bench.spools.on_disk == 0
        await bench.beside.settle()
        assert bench.read == []

    run(work, lambda: Bench(tmp_path))
    assert descriptors() == before


def test_discarding_while_the_disk_works_closes_the_file_afterwards(
    tmp_path: Path,
) -> None:
    before = descriptors()

    async def work(bench: Bench) -> None:
        bench.spool.append(b"x" * 4_000_000)
        await asyncio.sleep(0)
        bench.spool.discard()
        await bench.beside.settle()

        assert bench.failures == []

    run(work, lambda: Bench(tmp_path))
    assert descriptors() == before


def test_flush_says_when_everything_is_on_disk(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        pending: list[int] = []
        bench.spool.append(b"x" * 1_000)
        bench.spool.flush(lambda: pending.append(bench.spool.pending))
        assert pending == []
        await bench.beside.settle()

        assert pending == [0]
        assert bench.changes == 1

    run(work, lambda: Bench(tmp_path))


def test_there_is_no_room_while_the_disk_is_behind(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.spool.append(b"x" * 1024 * KIB)
        assert not bench.spool.has_room
        await bench.beside.settle()

        assert bench.spool.has_room

    run(work, lambda: Bench(tmp_path))


def test_there_is_no_room_above_the_limit_until_all_was_read(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.spool.append(b"x" * 1_000)
        await bench.beside.settle()
        assert not bench.spool.has_room
        assert not bench.spool.is_over

        bench.spool.read(1_000, bench.read.append)
        await bench.beside.settle()
        assert bench.spool.has_room

    run(work, lambda: Bench(tmp_path, limit=1_000))


def test_all_spools_together_have_a_limit(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        other = bench.open()
        other.append(b"x" * 1_000)
        assert not bench.spool.has_room
        other.discard()

        assert bench.spool.has_room
        await bench.beside.settle()

    run(work, lambda: Bench(tmp_path, total=1_000))


def test_far_more_than_there_is_room_for_is_over(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.spool.append(b"x" * 5 * 1024 * KIB)

        assert bench.spool.is_over

    run(work, lambda: Bench(tmp_path, limit=1_000))


def test_a_disk_that_takes_nothing_is_said_once(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.spool.append(b"x")
        await bench.beside.settle()
        bench.spool.append(b"y")
        bench.spool.read(1, bench.read.append)
        await bench.beside.settle()

        assert len(bench.failures) == 1
        assert bench.read == []
        assert bench.spools.on_disk == 0

    run(work, lambda: Bench(tmp_path / "is not there"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.spool.append(b"x")
        await bench.beside.settle()
        full = os.open("/dev/full", os.O_RDWR)
        os.dup2(full, bench.spool._file._descriptor)
        os.close(full)

        bench.spool.append(b"y")
        await bench.beside.settle()

        assert bench.failures == ["No space left on device"]

    run(work, lambda: Bench(tmp_path))
