"""The port for metrics: what it serves, and what it does when that cannot be read."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from django.core.management.base import CommandError
from prometheus_client.core import Metric

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.exceptions import ConfigurationError
from fairway.core.metrics import Metrics, Part
from fairway.core.settings import metrics_address, read_settings
from fairway.management.metrics import MetricsServer


class Figures:
    """A part whose figures may be broken."""

    def __init__(self) -> None:
        self.broken = False

    def read(self) -> Iterator[Metric]:
        if self.broken:
            raise ValueError("broken")
        return iter(())


@pytest.fixture(scope="module")
def figures() -> Figures:
    return Figures()


@pytest.fixture(scope="module")
def server(figures: Figures) -> Iterator[MetricsServer]:
    layer = MemoryLayer("memory://", LayerPolicy())
    running = MetricsServer("127.0.0.1", 0, option="--metrics-port")
    running.start(Metrics(layer, [Part(["mail"], figures.read)]))
    yield running
    running.close()


def get(server: MetricsServer, path: str = "/metrics") -> tuple[int, bytes]:
    try:
        with urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=10) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_metrics_are_served(server: MetricsServer) -> None:
    status, body = get(server)

    assert status == 200
    assert b'fairway_queue_depth{channel="mail"} 0.0' in body
    assert get(server, "/")[0] == 404


def test_metrics_that_cannot_be_read_are_an_error_and_a_line(
    server: MetricsServer, figures: Figures, caplog: pytest.LogCaptureFixture
) -> None:
    figures.broken = True
    with caplog.at_level(logging.ERROR):
        assert get(server) == (500, b"the metrics could not be read\n")

    figures.broken = False
    assert get(server)[0] == 200
    assert "ValueError: broken" in caplog.text


def test_clients_that_do_not_ask_leave_room_for_one_that_does(
    server: MetricsServer,
) -> None:
    address = ("127.0.0.1", server.port)
    silent = [socket.create_connection(address) for _ in range(7)]

    assert get(server)[0] == 200
    for one in silent:
        one.close()


def test_a_port_that_is_taken_is_named(server: MetricsServer) -> None:
    with pytest.raises(CommandError, match=rf"--metrics-port: .*:{server.port}: "):
        MetricsServer("127.0.0.1", server.port, option="--metrics-port")


@pytest.mark.parametrize(
    ("bind", "address"),
    [
        ("tcp:9100:interface=127.0.0.1", ("127.0.0.1", 9100)),
        (r"tcp:0:interface=\:\:1", ("::1", 0)),
    ],
)
def test_a_bind_names_port_and_interface(bind: str, address: tuple[str, int]) -> None:
    assert metrics_address(bind) == address


@pytest.mark.parametrize(
    "bind", ["9100", "tcp:9100", "tcp:70000:interface=::1", "unix:/run/metrics"]
)
def test_any_other_bind_stops_the_start(bind: str) -> None:
    with pytest.raises(ConfigurationError, match=r"METRICS_BIND.*must be like"):
        read_settings({"METRICS_BIND": bind})
