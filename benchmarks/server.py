"""Starts what is measured, reads its CPU time and memory, and ends it by its ids."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

__all__ = ["ROOT", "Server", "Target", "cpu_seconds", "family", "free_port"]

ROOT = Path(__file__).resolve().parents[1]

_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")
_WAITS = re.compile(r"^voluntary_ctxt_switches:\s*(\d+)", re.MULTILINE)
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Target:
    """One way to serve a site: its processes, of which the first starts first."""

    name: str
    roles: Mapping[str, Sequence[str]]
    """Command lines by role; `{port}`, `{redis_port}`, `{backend_port}` and
    `{control_port}` are replaced, and `{folder}`, which is its own."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables, with the same replacements."""
    needs: tuple[str, ...] = ()
    """Modules without which it cannot run."""
    programs: tuple[str, ...] = ()
    """Programs without which it cannot run."""
    peer: bool = True
    """Whether it is somebody else's."""
    http: bool = True
    """Whether it answers `GET /hello/`."""

    def missing(self) -> list[str]:
        """Return what would have to be installed."""
        return [
            *(name for name in self.needs if find_spec(name) is None),
            *(name for name in self.programs if shutil.which(name) is None),
        ]


class Server:
    """A running target; a context manager."""

    def __init__(
        self, target: Target, environment: Mapping[str, str] | None = None
    ) -> None:
        self.target = target
        self.port = free_port()
        self.redis_port = free_port()
        self._inner = {"backend_port": free_port(), "control_port": free_port()}
        self.pids: dict[str, int] = {}
        self._environment = {**target.environment, **(environment or {})}
        self._stack = ExitStack()
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Server:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for role, command in self.target.roles.items():
                child = self._start(command, folder, role)
                stack.callback(_stop, child)
                self._children[role] = child
                self.pids[role] = child.pid
                if role == "redis":
                    self._wait_until_it_listens(child, folder / role)
            if self.target.http:
                self._wait_until_it_answers(folder)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds that each role has used, with its children."""
        return {
            role: sum(map(cpu_seconds, family(pid))) for role, pid in self.pids.items()
        }

    def activity(self) -> dict[str, Activity]:
        """Return what each role has done, without its children."""
        return {role: _activity(pid) for role, pid in self.pids.items()}

    def resident(self) -> int:
        """Return the bytes of resident memory of all processes."""
        pids = (each for pid in self.pids.values() for each in family(pid))
        return sum(_resident(pid) for pid in pids)

    def _start(
        self, command: Sequence[str], folder: Path, role: str
    ) -> subprocess.Popen[bytes]:
        places = {
            **self._inner,
            "port": self.port,
            "redis_port": self.redis_port,
            "folder": folder,
        }
        variables = {
            name: value.format_map(places) for name, value in self._environment.items()
        }
        with (folder / role).open("wb") as output:
            return subprocess.Popen(
                [part.format_map(places) for part in command],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _wait_until_it_listens(self, child: subprocess.Popen[bytes], log: Path) -> None:
        for _ in _attempts(f"redis-server: {log}"):
            if child.poll() is not None:
                raise RuntimeError(f"redis-server ended: {log.read_text()}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.redis_port)) == 0:
                    return

    def _wait_until_it_answers(self, folder: Path) -> None:
        for _ in _attempts(self.target.name):
            for role, child in self._children.items():
                if child.poll() is not None:
                    output = (folder / role).read_text(errors="replace")
                    raise RuntimeError(f"{self.target.name}, {role} ended: {output}")
            if _answers(self.port):
                return


class Activity(NamedTuple):
    """What a process has done so far."""

    system: float
    """CPU seconds in the kernel."""
    waits: int
    """Times that a thread gave up its core to wait, over the threads that live."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that descend from it."""
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:
        return
    for task in tasks:
        with suppress(FileNotFoundError):  # a thread that has ended meanwhile
            for child in (task / "children").read_text().split():
                yield from family(int(child))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its ended threads, to the nanosecond.

    The number of another process's clock is what clock_getcpuclockid(3) computes;
    /proc/PID/stat has the same time in steps of 10 ms.
    """
    return time.clock_gettime((~pid << 3) | 2)


def _activity(pid: int) -> Activity:
    # What follows the name in brackets; stime is field 15 of proc(5).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    waits = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if found := _WAITS.search(status.read_text()):
                waits += int(found[1])
    return Activity(int(fields[12]) / _TICKS, waits)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def _attempts(what: str) -> Iterator[None]:
    end = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < end:
        yield
        time.sleep(0.05)
    raise TimeoutError(f"{what} did not start within {_START_TIMEOUT:g} s")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/hello/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(child: subprocess.Popen[bytes]) -> None:
    descendants = list(family(child.pid))[1:]
    child.terminate()
    try:
        child.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        print(f"{child.args!r} did not end and is killed", file=sys.stderr)
        child.kill()
        child.wait(_STOP_TIMEOUT)
        for pid in descendants:
            _kill_orphan(pid)


def _kill_orphan(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return
