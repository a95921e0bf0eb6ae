"""Interface servers and workers that are replaced under load: nobody notices."""

from __future__ import annotations

import signal
import time

import pytest

from tests.faults.scene import Load, Record, Scene
from tests.support.balancer import Balancer

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

CLIENTS = 8


@pytest.mark.parametrize("pause", [0.0, pytest.param(0.2, marks=pytest.mark.full)])
def test_replacing_every_process_behind_a_balancer_fails_no_request(
    scene: Scene, record: Record, pause: float
) -> None:
    old_worker = scene.worker()
    servers = [scene.interface() for _ in range(2)]
    ports = [port for _, port in servers]
    with Balancer(ports) as balancer:
        with Load(balancer.port, clients=CLIENTS, pause=pause) as load:
            for process, port in servers:
                began = time.monotonic()
                process.child.send_signal(signal.SIGTERM)
                assert process.child.wait(30) == 0
                record("stopped after", round(time.monotonic() - began, 2))
                load.wait_for(50)
                ports[ports.index(port)] = scene.interface()[1]
                load.wait_for(50)
            new_worker = scene.worker()
            assert old_worker.stop() == 0
            load.wait_for(50)
    record("answers, failures", (len(load.answers), _failures(load)))

    assert _failures(load) == 0
    load.check(scene.noted())
    assert new_worker.child.poll() is None


def _failures(load: Load) -> int:
    return sum(answer.status != 200 for answer in load.answers)
