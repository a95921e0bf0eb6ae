"""Processes of two releases serve one site while it is deployed."""

from __future__ import annotations

import threading

import pytest
from websockets.sync.client import connect

from fairway.core.bus.redis.keys import Keys
from tests.faults.scene import Load, Scene, ask
from tests.support.processes import Process, wait_until
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

OLD = {"FAULT_OLD": "yes"}


class Sockets:
    """WebSockets that count, each waiting for its answer, while the block lasts."""

    def __init__(self, *ports: int) -> None:
        self.answers: list[tuple[str, str | bytes]] = []
        """What was said, and what was answered."""
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(port, 1_000_000 * number))
            for number, port in enumerate(ports, 1)
        ]

    def __enter__(self) -> Sockets:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, port: int, number: int) -> None:
        with connect(f"ws://127.0.0.1:{port}/", proxy=None, open_timeout=30) as socket:
            socket.recv(30)
            while not self._stopping.wait(0.005):
                number += 1
                socket.send(f"mark {number}")
                self.answers.append((str(number), socket.recv(30)))


def worked(scene: Scene, worker: Process) -> bool:
    """Return whether a worker consumed anything."""
    ledger = scene.folder / f"{worker.pid}.ledger"
    return ledger.exists() and ledger.stat().st_size > 0


def serve_together(scene: Scene, ports: list[int], workers: list[Process]) -> None:
    """Serve until everybody has worked; nothing may be lost or unreadable."""
    with Sockets(*ports) as sockets, Load(ports[0]) as first, Load(ports[1]) as second:
        wait_until(lambda: all(worked(scene, worker) for worker in workers), 30)
        first.wait_for(200)
        second.wait_for(200)
        wait_until(lambda: len(sockets.answers) > 200, 30, "echoes")

    assert first.statuses() | second.statuses() == {200}
    assert [said for said, _ in sockets.answers] == [
        heard for _, heard in sockets.answers
    ]
    assert scene.all_run()
    assert not any("dropped" in process.output() for process in scene.processes)


def test_a_process_that_reads_version_1_only_loses_nothing(scene: Scene) -> None:
    scene.environment = OLD
    workers = [scene.worker()]
    ports = [scene.interface()[1]]
    scene.environment = {}
    scene.settings["BUS_VERSION"] = 1
    workers.append(scene.worker())
    ports.append(scene.interface()[1])

    serve_together(scene, ports, workers)


def test_processes_that_write_either_version_lose_nothing(scene: Scene) -> None:
    scene.settings["BUS_VERSION"] = 1
    workers = [scene.worker()]
    ports = [scene.interface()[1]]
    del scene.settings["BUS_VERSION"]
    workers.append(scene.worker())
    ports.append(scene.interface()[1])

    serve_together(scene, ports, workers)


def test_a_forgotten_setting_costs_messages_and_no_process(scene: Scene) -> None:
    scene.settings["http"] = {"answer_timeout": 1.0}
    _, port = scene.interface()
    scene.environment = OLD
    old = scene.worker()

    assert ask(port, "/mark/1")[0] == 504
    assert "version (record version 2 is not readable" in old.output()

    scene.environment = {}
    scene.worker()
    assert old.stop() == 0
    assert ask(port, "/mark/2")[0] == 200


def test_records_of_a_newer_release_are_counted_and_explained(
    scene: Scene, fresh_redis: RedisServer
) -> None:
    worker = scene.worker()
    _, port = scene.interface()
    run_id = fresh_redis.execute("INFO", "server")["run_id"]
    queue = Keys(run_id).queue("http.request")

    for _ in range(20):
        fresh_redis.execute("RPUSH", queue, b"\x03" + bytes(30))
    wait_until(lambda: "dropped" in worker.output(), 10, "a log line")

    assert ask(port, "/mark/1")[0] == 200
    [line] = [line for line in worker.output().splitlines() if "dropped" in line]
    assert "on http.request: version (record version 3 is of a newer" in line
    assert 'set FAIRWAY["BUS_VERSION"] to 2 in the newer processes' in line
