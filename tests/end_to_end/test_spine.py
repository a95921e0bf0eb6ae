"""The main job with every part a process of its own, over one Redis."""

from __future__ import annotations

import asyncio
import resource
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from websockets.asyncio.client import ClientConnection, connect

from tests.support.processes import Process, free_port, run_manage, wait_until
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.standard, pytest.mark.timeout(180)]

LEDGER = "tests/end_to_end/ledger"


class Site:
    """Interface servers and workers of the ledger site."""

    def __init__(self, stack: ExitStack, layer: str, folder: Path) -> None:
        self._stack = stack
        self._environment = {
            "FAIRWAY_LAYER": layer,
            "LEDGER_FOLDER": str(folder),
        }
        self.folder = folder
        self.workers: list[Process] = []
        self.ports: list[int] = []

    def expire_after(self, seconds: int) -> None:
        """Let messages that clients send expire earlier, in processes to come."""
        self._environment["LEDGER_EXPIRY"] = str(seconds)

    def interface(self) -> int:
        """Start an interface server and return its port."""
        port = free_port()
        process = self._start("runinterface", "--port", str(port))
        process.wait_for_port(port)
        self.ports.append(port)
        return port

    def worker(self) -> Process:
        """Start a worker; return it as soon as it listens."""
        process = self._start("runworker")
        wait_until(lambda: "listens to" in process.output(), 60, "a worker")
        self.workers.append(process)
        return process

    def entries(self) -> dict[str, list[tuple[str, str]]]:
        """Return (begin or end, text) of each peer in the order of time."""
        lines = [
            line.split(" ", 3)
            for path in self.folder.glob("*.ledger")
            for line in path.read_text().splitlines()
        ]
        by_peer: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for _, what, peer, text in sorted(lines, key=lambda line: int(line[0])):
            by_peer[peer].append((what, text))
        return by_peer

    def _start(self, *arguments: str) -> Process:
        started = run_manage(LEDGER, *arguments, environment=self._environment)
        return self._stack.enter_context(started)


@pytest.fixture
def site(redis_url: str, tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(stack, redis_url, tmp_path)


async def _open(port: int) -> ClientConnection:
    socket = await connect(f"ws://127.0.0.1:{port}/", open_timeout=30, proxy=None)
    await asyncio.wait_for(socket.recv(), 30)
    return socket


def test_a_message_through_one_interface_server_reaches_a_client_of_another(
    site: Site,
) -> None:
    first, second = site.interface(), site.interface()
    site.worker()
    site.worker()

    async def scenario() -> tuple[str | bytes, str | bytes]:
        ada, bob = await _open(first), await _open(second)
        await ada.send("everyone hello")
        heard = await asyncio.gather(ada.recv(), bob.recv())
        await asyncio.gather(ada.close(), bob.close())
        return heard[0], heard[1]

    heard = asyncio.run(asyncio.wait_for(scenario(), 60))

    assert heard == ("everyone hello", "everyone hello")


def test_a_broadcast_to_2000_sockets_is_one_write_to_the_mailbox(
    site: Site, redis_server: RedisServer
) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 20_000), most))
    port = site.interface()
    site.worker()

    async def scenario() -> int:
        sockets: list[ClientConnection] = []
        for _ in range(20):
            sockets += await asyncio.gather(*(_open(port) for _ in range(100)))
        client = redis.Redis.from_url(redis_server.url)
        with client.monitor() as monitor:  # type: ignore[no-untyped-call]  # redis-py's
            await sockets[0].send("everyone hello")
            await asyncio.gather(*(socket.recv() for socket in sockets))
            redis_server.execute("ECHO", _MARK)
            writes = await asyncio.to_thread(_pushes_of, monitor, "everyone hello")
        await asyncio.gather(*(socket.close() for socket in sockets))
        return writes

    assert asyncio.run(asyncio.wait_for(scenario(), 150)) == 1


_MARK = "end of the broadcast"


def _pushes_of(monitor: redis.client.Monitor, text: str) -> int:
    """Count what pushed `text` to a mailbox, until the mark is seen."""
    pushes = 0
    for command in monitor.listen():  # type: ignore[no-untyped-call]  # redis-py's
        line = command["command"]
        if _MARK in line:
            return pushes
        if command["client_type"] == "lua" and "RPUSH" in line.upper():
            pushes += text in line and ":m:{" in line
    raise AssertionError("the monitor ended")


def test_each_peers_events_are_consumed_in_order_and_never_two_at_once(
    site: Site,
) -> None:
    port = site.interface()
    for _ in range(4):
        site.worker()

    async def talk() -> None:
        socket = await _open(port)
        await asyncio.gather(*(socket.send(f"count {n}") for n in range(50)))
        for n in range(50):
            assert await socket.recv() == f"{n} {n + 1}"
        await socket.close()

    async def scenario() -> None:
        await asyncio.gather(*(talk() for _ in range(200)))

    asyncio.run(asyncio.wait_for(scenario(), 150))
    wait_until(lambda: _ended(site) == 200, 30, "200 disconnects")

    expected = ["connect", *(f"count {n}" for n in range(50)), "disconnect"]
    for entries in site.entries().values():
        assert entries == [(what, n) for n in expected for what in ("begin", "end")]


def _ended(site: Site) -> int:
    return sum(("end", "disconnect") in e for e in site.entries().values())


def test_a_killed_worker_delays_a_peer_by_at_most_the_expiry(site: Site) -> None:
    site.expire_after(4)
    port = site.interface()
    site.worker()
    site.worker()

    async def scenario() -> tuple[str | bytes, float]:
        socket = await _open(port)
        await socket.send("sleep 60")
        await asyncio.to_thread(
            wait_until, lambda: _is_sleeping(site), 20, "the sleep began"
        )
        holder = _holder(site)
        next(w for w in site.workers if w.pid == holder).kill()
        killed = asyncio.get_running_loop().time()
        await socket.send("hello again")
        answer = await asyncio.wait_for(socket.recv(), 30)
        waited = asyncio.get_running_loop().time() - killed
        await socket.close()
        return answer, waited

    answer, waited = asyncio.run(asyncio.wait_for(scenario(), 100))

    assert answer == "hello again"
    # It is 4 s; the host looks for lost records once a second.
    assert waited < 4 + 1 + 5


def _is_sleeping(site: Site) -> bool:
    return any(e[-1] == ("begin", "sleep 60") for e in site.entries().values())


def _holder(site: Site) -> int:
    """Return the process that runs the consumer which sleeps."""
    for path in site.folder.glob("*.ledger"):
        if path.read_text().rstrip().endswith("sleep 60"):
            return int(path.stem)
    raise AssertionError("nobody sleeps")


def test_workers_are_replaced_while_a_client_talks_and_nothing_is_lost(
    site: Site,
) -> None:
    port = site.interface()
    old = site.worker()

    async def scenario() -> None:
        socket = await _open(port)
        replaced = asyncio.create_task(asyncio.to_thread(_replace, site, old))
        count = 0
        while not replaced.done() or count < 100:
            await socket.send(f"count {count}")
            assert await socket.recv() == f"{count} {count + 1}"
            count += 1
        await replaced
        await socket.close()

    asyncio.run(asyncio.wait_for(scenario(), 100))


def _replace(site: Site, old: Process) -> None:
    site.worker()
    assert old.stop() == 0
