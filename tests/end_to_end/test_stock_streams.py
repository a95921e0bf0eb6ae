"""What takes long: large bodies, endless streams, clients that leave."""

from __future__ import annotations

import hashlib
import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from tests.end_to_end.stock_servers import (
    FAIRWAY,
    prepare,
    run_server,
    run_split,
)
from tests.end_to_end.visitor import HOST, Visitor
from tests.support.processes import Process
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.standard, pytest.mark.timeout(180)]

SIZE = 64 * 1024 * 1024
ROOM = 32 * 1024
"""KiB that a process may grow while bodies of `SIZE` pass through it."""


class Served(Struct):
    port: int
    processes: list[Process]
    folder: Path

    def resident(self) -> int:
        """Return the largest memory that the processes ever had, in KiB."""
        return sum(_peak(process.pid) for process in self.processes)

    def open(self, path: str) -> socket.socket:
        """Send a request and leave the answer to the caller."""
        client = socket.create_connection(("127.0.0.1", self.port), 60)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        return client


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])


@pytest.fixture(scope="module", params=["one process", "over Redis"])
def site(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    redis_server: RedisServer,
) -> Iterator[Served]:
    folder = prepare(tmp_path_factory.mktemp("site"))
    if request.param == "one process":
        with run_server(folder, FAIRWAY) as (port, process):
            yield Served(port, [process], folder)
    else:
        with run_split(folder, redis_server.url) as (port, processes):
            yield Served(port, processes, folder)


def test_large_bodies_pass_through_with_flat_memory(site: Served) -> None:
    visitor = Visitor(site.port)
    visitor.get("/add/")
    before = site.resident()
    content = hashlib.sha256(b"seed").digest() * (SIZE // 32)

    assert visitor.upload("/add/", ("big", content), title="big").status == 302
    number = visitor.get("/").body.count(b"<li>")
    assert visitor.get(f"/papers/{number}/").body == content

    assert site.resident() - before < ROOM


def test_a_download_that_nobody_takes_waits_outside_of_memory(site: Served) -> None:
    visitor = Visitor(site.port)
    visitor.get("/add/")
    visitor.upload("/add/", ("slow", b"x" * SIZE), title="slow")
    number = visitor.get("/").body.count(b"<li>")
    before = site.resident()

    with site.open(f"/papers/{number}/") as slow:
        assert visitor.get("/").status == 200
        response = http.client.HTTPResponse(slow)
        response.begin()
        assert len(response.read()) == SIZE

    assert site.resident() - before < ROOM


def test_an_endless_stream_ends_when_its_client_leaves(site: Served) -> None:
    with site.open("/endless/") as client:
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 OK\r\n")

    wait_until((site.folder / "endless.closed").exists, 60)


def test_an_event_arrives_at_once_and_its_stream_ends_when_its_client_leaves(
    site: Served,
) -> None:
    with site.open("/patient/") as client:
        received = b""
        while b"data: hello\n\n" not in received:
            received += client.recv(65_536)

    wait_until((site.folder / "patient.closed").exists, 60)
