"""A site that talks UDP, as a process, and clients of it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Process, free_port, run_manage, wait_until

__all__ = ["SITE", "Client", "Site", "is_bound", "site"]

SITE = "tests/plugins/udp/site"
ATTEMPTS = 20


class Client:
    """One address that sends to the site."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(20)

    def send(self, data: bytes) -> None:
        self.socket.send(data)

    def receive(self) -> bytes:
        return self.socket.recv(70_000)

    def ask(self, data: bytes) -> bytes:
        self.send(data)
        return self.receive()

    def insist(self, data: bytes) -> int:
        """Ask until the answer comes; return how often. Data must be told apart."""
        self.socket.settimeout(0.5)
        for attempt in range(1, ATTEMPTS + 1):
            self.send(data)
            with suppress(TimeoutError):
                while self.receive() != data:
                    pass
                return attempt
        raise AssertionError("a valid peer gets no answer")

    def is_silent(self, seconds: float = 0.3) -> bool:
        """Return whether nothing comes for a while."""
        self.socket.settimeout(seconds)
        try:
            self.receive()
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(20)
        return False


class Site:
    """The running site."""

    def __init__(self, process: Process, port: int, stack: ExitStack) -> None:
        self.process = process
        self.port = port
        self._stack = stack

    def client(self, host: str = "127.0.0.1") -> Client:
        client = Client(self.port, host)
        self._stack.callback(client.socket.close)
        return client

    @property
    def resident(self) -> int:
        """Bytes of resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (each for each in status.splitlines() if each.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024


def is_bound(port: int) -> bool:
    """Return whether somebody has a UDP port of 127.0.0.1."""
    # Not by trying to take it, which could come before the one who shall.
    return f":{port:04X} " in Path("/proc/net/udp").read_text()


@contextmanager
def serve(**section: Any) -> Iterator[Site]:
    http, port = free_port(), free_port(socket.SOCK_DGRAM)
    section = {"bind": [f"udp:127.0.0.1:{port}"], **section}
    arguments = ("runserver", "--noreload", f"127.0.0.1:{http}")
    environment = {"UDP_SECTION": json.dumps(section)}
    with (
        run_manage(SITE, *arguments, environment=environment) as process,
        ExitStack() as stack,
    ):
        wait_until(lambda: is_bound(port))
        yield Site(process, port, stack)


@pytest.fixture
def site() -> Callable[..., Any]:
    """Return what runs the site with a section of the settings."""
    return serve
