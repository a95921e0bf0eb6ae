"""The processes of a site with big bodies, and what they cost meanwhile."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tests.faults.scene import PATIENCE, Scene, is_ready
from tests.full_size.pattern import MEBIBYTE
from tests.support.processes import free_port, wait_until

__all__ = ["Cost", "House"]

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_EVERY = 0.05


class House(Scene):
    """The site for big bodies.

    Attributes:
        port: where the interface server listens, after `open`.
        interface_pid: which process that is.
        others: further processes to be watched, such as Redis.
    """

    site = "tests/full_size/site"
    port = 0
    interface_pid = 0
    others: tuple[int, ...] = ()

    def open(self) -> None:
        """Start an interface server and a worker; without a bus both are one."""
        if self.layer == "memory://":
            self.port = free_port()
            address = f"127.0.0.1:{self.port}"
            process = self._start("runserver", "--noreload", "--skip-checks", address)
            process.wait_for_port(self.port)
            wait_until(lambda: is_ready(self.port), PATIENCE, "readiness")
        else:
            self.worker()
            process, self.port = self.interface()
        self.interface_pid = process.pid

    def pids(self) -> list[int]:
        """Return all processes that a transfer goes through."""
        return [*(process.pid for process in self.processes), *self.others]

    def spooled(self) -> int:
        """Return how many bytes the interface server has in files of spools."""
        size = 0
        for link in Path(f"/proc/{self.interface_pid}/fd").iterdir():
            try:
                if "/fairway-" in os.readlink(link):
                    size += link.stat().st_size
            except FileNotFoundError:
                continue
        return size

    def is_clean(self) -> bool:
        """Return whether nothing of any body is left on disk."""
        return self.spooled() == 0 and not list(self.folder.glob("*.upload*"))


class Cost:
    """Watches the memory and the CPU time of processes while a block lasts."""

    def __init__(self, pids: list[int]) -> None:
        self.growth: dict[int, float] = {}
        """MiB that each process had more than at the start, at most."""
        self.cpu = 0.0
        """Seconds that all of them computed."""
        self._pids = pids
        self._start = {pid: _resident(pid) for pid in pids}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Cost:
        self.cpu = -sum(map(_cpu, self._pids))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        self.cpu += sum(map(_cpu, self._pids))

    def most(self) -> float:
        """Return by how many MiB the process that grew most has grown."""
        return max(self.growth.values())

    def _watch(self) -> None:
        last = False
        while not last:
            last = self._done.wait(_EVERY)
            for pid, start in self._start.items():
                grown = _resident(pid) - start
                self.growth[pid] = max(self.growth.get(pid, 0.0), grown)


def _resident(pid: int) -> float:
    return _stat(pid, "statm", lambda text: int(text.split()[1])) * _PAGE / MEBIBYTE


def _cpu(pid: int) -> float:
    # The name of the program, in parentheses, may hold spaces.
    times = _stat(
        pid, "stat", lambda text: sum(map(int, text.rpartition(")")[2].split()[11:13]))
    )
    return times / _TICKS


def _stat(pid: int, name: str, read: Callable[[str], int]) -> int:
    return read(Path(f"/proc/{pid}/{name}").read_text())
