"""The processes of a faulty day, and clients that watch them."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.support.processes import Process, free_port, run_manage, wait_until

__all__ = ["Answer", "Load", "Record", "Scene", "ask", "is_ready", "resident"]

Record = Callable[[str, object], None]
"""Notes a figure under a name."""

SITE = "tests/faults/site"
PATIENCE = 30.0
_NORMAL = 20
"""Requests in a row that are answered with 200 when all is well again."""


class Scene:
    """Interface servers and workers of the site for faults.

    Attributes:
        settings: what differs from the site's `FAIRWAY`; `http` and `websocket` are the
            plugins' sections.
        environment: variables of the processes to be started next.
        site: the folder with its `manage.py`.
    """

    site = SITE

    def __init__(self, stack: ExitStack, layer: str, folder: Path) -> None:
        self.layer = layer
        self.folder = folder
        self.settings: dict[str, Any] = {}
        self.environment: dict[str, str] = {}
        self.processes: list[Process] = []
        self._stack = stack

    def interface(self, *, waits: bool = True) -> tuple[Process, int]:
        """Start an interface server; return it and its port once it is ready.

        Args:
            waits: False returns once it listens.
        """
        port = free_port()
        process = self._start("runinterface", "--port", str(port))
        process.wait_for_port(port)
        if waits:
            wait_until(lambda: is_ready(port), PATIENCE, "readiness")
        return process, port

    def worker(self, *options: str, threads: int = 8) -> Process:
        """Start a worker; return it as soon as it listens."""
        process = self._start("runworker", "--threads", str(threads), *options)
        wait_until(lambda: "listens to" in process.output(), PATIENCE, "a worker")
        return process

    def both(self) -> int:
        """Start a worker and an interface server; return its port."""
        self.worker()
        return self.interface()[1]

    def noted(self) -> Counter[str]:
        """Return how often each text was noted by consumers of all processes."""
        return Counter(
            line
            for path in self.folder.glob("*.ledger")
            for line in path.read_text().splitlines()
        )

    def all_run(self) -> bool:
        """Return whether no process has ended."""
        return all(process.child.poll() is None for process in self.processes)

    def resident(self) -> list[float]:
        """Return the memory of each process in MiB."""
        return [resident(process) for process in self.processes]

    def _start(self, *arguments: str) -> Process:
        """Run a command of the site until the scene ends."""
        environment = {
            "FAIRWAY_LAYER": self.layer,
            "FAULT_FOLDER": str(self.folder),
            "FAULT_SETTINGS": json.dumps(self.settings),
            **self.environment,
        }
        process = self._stack.enter_context(
            run_manage(self.site, *arguments, environment=environment)
        )
        self.processes.append(process)
        return process


class Answer(Struct, frozen=True):
    """What one request got, and when, in seconds of a steady clock."""

    number: int
    status: int
    """0 when the connection ended without an answer."""
    began: float
    ended: float


class Load:
    """Clients that ask for `/mark/0`, `/mark/1` ... while the block lasts.

    Each waits for its answer before it asks again, on a connection that it keeps.
    """

    def __init__(
        self, port: int, *, clients: int = 4, path: str = "/mark/", pause: float = 0.01
    ) -> None:
        self.answers: list[Answer] = []
        self._port = port
        self._path = path
        self._pause = pause
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self.wait_for(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count: int) -> None:
        """Wait until so many more requests were answered with 200."""
        before = self._good()
        wait_until(lambda: self._good() >= before + count, PATIENCE, "good answers")

    def seconds_to_normal(self, since: float) -> float:
        """Wait for normal answers; return how long after `since` the first came.

        One more client begins: the others may wait for what the fault has swallowed.
        """
        self._threads.append(threading.Thread(target=self._run))
        self._threads[-1].start()

        def good() -> list[Answer]:
            return [
                a for a in list(self.answers) if a.status == 200 and a.began > since
            ]

        wait_until(lambda: len(good()) >= _NORMAL, PATIENCE, "normal answers")
        return min(answer.ended for answer in good()) - since

    def statuses(self) -> set[int]:
        """Return which statuses there were."""
        return {answer.status for answer in list(self.answers)}

    def longest(self) -> float:
        """Return the longest time in seconds that a client waited."""
        return max(answer.ended - answer.began for answer in list(self.answers))

    def check(self, noted: Counter[str]) -> None:
        """Assert that nothing was consumed twice, and what was answered once."""
        twice = {text for text, count in noted.items() if count > 1}
        assert twice == set()
        unseen = {a.number for a in self.answers if a.status == 200} - {
            int(text) for text in noted if text.isdecimal()
        }
        assert unseen == set()

    def _good(self) -> int:
        return sum(answer.status == 200 for answer in list(self.answers))

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._stopping.wait(self._pause):
            number, began = next(self._numbers), time.monotonic()
            try:
                connection.request("GET", f"{self._path}{number}")
                response = connection.getresponse()
                response.read()
                status = response.status
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
            self.answers.append(Answer(number, status, began, time.monotonic()))
        connection.close()


def ask(port: int, path: str, *, timeout: float = 30.0) -> tuple[int, bytes]:
    """Ask for a page on a connection of its own; return its status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def is_ready(port: int) -> bool:
    """Return whether an interface server says that it can do its work."""
    try:
        return ask(port, "/-/ready")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def resident(process: Process) -> float:
    """Return the memory of a process in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
