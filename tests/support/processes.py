"""Child processes of end-to-end tests: `manage.py` commands that end with the test."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.waiting import wait_until

__all__ = [
    "Process",
    "free_port",
    "is_listening",
    "run_manage",
    "run_python",
    "wait_until",
]

ROOT = Path(__file__).resolve().parents[2]
STOP_TIMEOUT = 30.0
# Not the seeded one, which is the same in all processes of a test run.
_ports = random.SystemRandom()


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """Return a port of 127.0.0.1, TCP's by default, that nobody uses at this moment.

    None of those that the kernel gives to outgoing connections: other tests make many
    of them before a server that is told this port has started.
    """
    while True:
        port = _ports.randrange(10_000, 32_000)
        with socket.socket(socket.AF_INET, kind) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def is_listening(port: int) -> bool:
    """Return whether somebody accepts connections on a port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Process:
    """A running child; its output is kept in a file and shown when a test fails."""

    def __init__(self, child: subprocess.Popen[bytes], log: Path) -> None:
        self.child = child
        self.log = log

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.child.pid

    def output(self) -> str:
        """Return what it printed so far."""
        return self.log.read_text(errors="replace")

    def wait_for_port(self, port: int, timeout: float = 60.0) -> None:
        """Wait until it listens; raises with its output when it ends before."""

        def listening() -> bool:
            if self.child.poll() is not None:
                raise RuntimeError(
                    f"ended with {self.child.returncode}: {self.output()}"
                )
            return is_listening(port)

        wait_until(listening, timeout, f"listening on {port}")

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.child.kill()
        self.child.wait(STOP_TIMEOUT)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it with a signal and return its exit code."""
        if self.child.poll() is None:
            self.child.send_signal(number)
        try:
            return self.child.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


@contextmanager
def run_manage(
    site: str | Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """Run `manage.py` of a site as a child process while the block lasts.

    Args:
        site: folder with `manage.py`, relative to the repository.
        environment: variables beside those of this process.
    """
    with run_python(site, "manage.py", *arguments, environment=environment) as process:
        yield process


@contextmanager
def run_python(
    folder: str | Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    python: str | Path = sys.executable,
) -> Iterator[Process]:
    """Run Python in a folder of the repository as `run_manage` does."""
    with tempfile.TemporaryDirectory() as logs:
        log = Path(logs, "output")
        with log.open("wb") as output:
            child = subprocess.Popen(
                [str(python), *arguments],
                cwd=ROOT / folder,
                env=_environment() | dict(environment or {}),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        process = Process(child, log)
        try:
            yield process
        except BaseException:
            sys.stderr.write(f"--- {' '.join(arguments)}\n{process.output()}\n")
            raise
        finally:
            if child.poll() is None:
                process.stop()


def _environment() -> dict[str, str]:
    """Return this process's variables; which site it tests with is its own matter."""
    # Several sites run at once, and most tests want no UDP.
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "FAIRWAY_UDP_PORT": "0"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    return environment
