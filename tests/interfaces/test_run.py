"""An interface server as a process of its own, and its signals."""

import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interfaces.recorder import read_to_end

ROOT = Path(__file__).parents[2]
TIMEOUT = 30.0

Start = Callable[[float], tuple["subprocess.Popen[str]", int]]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(grace: float) -> tuple[subprocess.Popen[str], int]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.interfaces.serve", str(grace)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=TIMEOUT)


@pytest.mark.standard
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_and_closes_connections(
    start: Start, number: signal.Signals
) -> None:
    process, port = start(1.0)
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
        client.sendall(b"hello\n")

        process.send_signal(number)

        assert read_to_end(client) == b""
    out, _ = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out) == (0, "stopped\n")


@pytest.mark.standard
def test_a_second_signal_stops_it_at_once(start: Start) -> None:
    process, port = start(3600.0)
    # Nobody takes its events, so that a graceful stop would wait for them.
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
        client.sendall(b"hello\n")
        process.send_signal(signal.SIGTERM)
        assert read_to_end(client) == b""

        process.send_signal(signal.SIGTERM)

        out, _ = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out) == (0, "stopped\n")


@pytest.mark.standard
def test_it_may_hold_as_many_connections_as_the_system_allows(start: Start) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1_000), hard))
    try:
        process, _ = start(1.0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    limit = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)

    assert limit == (hard, hard)
