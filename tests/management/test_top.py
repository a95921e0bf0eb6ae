"""`manage.py fairway top` shows what a real site does, printed and on a terminal."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import pty
import re
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings

from fairway.management.top.samples import Moment, Process
from fairway.management.top.view import lines, quantile
from tests.support.processes import ROOT, free_port, run_manage

SITE = "examples/echo"


class Watched:
    """A running site: its interface server, its worker, and how to run commands."""

    def __init__(self, layer: str) -> None:
        self.port, self.metrics = free_port(), free_port()
        self.environment = {
            "FAIRWAY_LAYER": layer,
            "WATCHED_PORT": str(self.port),
            "DJANGO_SETTINGS_MODULE": "watched_settings",
            "PYTHONPATH": str(Path(__file__).parent / "watched"),
        }

    def top(self, *options: str) -> str:
        """Return what the command prints."""
        command = [sys.executable, "manage.py", "fairway", "top", *options]
        done = subprocess.run(
            command,
            cwd=ROOT / SITE,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=50,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def watched(redis_url: str) -> Iterator[Watched]:
    site = Watched(redis_url)
    worker = ("runworker", "--metrics-port", str(site.metrics))
    with (
        run_manage(SITE, "runinterface", environment=site.environment) as interface,
        run_manage(SITE, *worker, environment=site.environment) as process,
    ):
        interface.wait_for_port(site.port)
        process.wait_for_port(site.metrics)
        ask(site.port)
        yield site


def ask(port: int) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as visitor:
        visitor.request("GET", "/hello/")
        assert visitor.getresponse().status == 200


@contextlib.contextmanager
def load(port: int) -> Iterator[None]:
    """Ask again and again while the block lasts."""
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            ask(port)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def row(text: str, start: str) -> list[str]:
    """Return the cells of the line that starts with a text."""
    [found] = re.findall(rf"^{re.escape(start)} +(.*)$", text, re.MULTILINE)
    return str(found).split()


@pytest.mark.standard
def test_one_frame_shows_rates_queues_and_consumers(watched: Watched) -> None:
    worker = f"127.0.0.1:{watched.metrics}"
    interface = f"127.0.0.1:{watched.port}"
    gone = f"127.0.0.1:{free_port()}"
    urls = [f"http://{worker}/metrics", f"http://{interface}/-/metrics"]
    urls += [f"http://{gone}/metrics"]
    with load(watched.port):
        text = watched.top("--once", *(f"--url={url}" for url in urls))

    assert re.search(r"^layer redis://\S+  up$", text, re.MULTILINE)
    assert "workers 1  mailboxes 1  silent 0" in text
    _, events, replies, _ = row(text, f"{interface} http")
    assert float(events.replace(",", "")) > 0
    assert float(replies.replace(",", "")) > 0
    assert row(text, "http.request")[-1] == "1"
    _, _, after = text.partition("\nconsumers of")
    consumers, _, buses = after.partition("\n\n")
    rate, busy, *_ = row(consumers, f"{worker} http.request")
    assert float(rate.replace(",", "")) > 0
    assert float(busy) >= 0
    rate, median, *_ = row(buses, f"{worker} http.request")
    assert float(rate.replace(",", "")) > 0
    assert float(median) > 0
    assert f"{gone}  " in text
    assert "hush" not in text


@pytest.mark.standard
def test_a_terminal_shows_frames_until_q(watched: Watched) -> None:
    near, far = pty.openpty()
    before = termios.tcgetattr(far)
    command = [sys.executable, "manage.py", "fairway", "top", "--interval", "0.2"]
    with subprocess.Popen(
        command,
        cwd=ROOT / SITE,
        env=os.environ | watched.environment | {"COLUMNS": "100", "LINES": "30"},
        stdin=far,
        stdout=far,
        stderr=far,
    ) as child:
        shown = b""
        while shown.count(b"\x1b[H") < 3:
            shown += os.read(near, 65_536)
        os.write(near, b"q")
        while b"\x1b[?1049l" not in shown:
            shown += os.read(near, 65_536)
        assert child.wait(20) == 0
    # Without --url it finds the interface server of its own settings.
    assert f"127.0.0.1:{watched.port} http".encode() in shown
    assert shown.index(b"\x1b[?1049h") < shown.index(b"workers 1")
    assert termios.tcgetattr(far) == before
    os.close(near)
    os.close(far)


def test_a_place_that_speaks_no_http_is_shown(redis_url: str) -> None:
    def greet() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 ready\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        thread = threading.Thread(target=greet)
        thread.start()
        out = io.StringIO()
        with override_settings(FAIRWAY={"LAYER": redis_url, "PLUGINS": {"http": {}}}):
            url = f"http://{host}:{port}/metrics"
            watched = ("--once", "--interval", "0.1", "--url", url)
            call_command("fairway", "top", *watched, stdout=out)
        thread.join(20)

    assert f"{host}:{port}  220 ready" in out.getvalue()


@pytest.mark.standard
def test_frames_are_counted_and_an_outage_is_shown() -> None:
    port = free_port()
    site = Watched(f"redis://:hush-hush@127.0.0.1:{port}/0")
    text = site.top("--count", "2", "--interval", "0.1")

    assert text.count(f"layer redis://127.0.0.1:{port}/0  ") == 2
    assert "hush" not in text


def process(at: float, **values: Mapping[Any, float]) -> Process:
    return Process("here:1", at, values)


def moment(one: Process) -> Moment:
    return Moment("redis://x", "", {}, [], [one])


def test_rates_are_those_between_two_moments() -> None:
    http = (("channel", "http.request"), ("protocol", "http"))
    other = (("channel", "http.disconnect"), ("protocol", "http"))
    peers = {(("protocol", "http"),): 7.0}
    text = lines(
        moment(process(10.0, fairway_peers=peers, fairway_events_total={http: 5.0})),
        moment(
            process(
                12.0,
                fairway_peers=peers,
                fairway_events_total={http: 25.0, other: 10.0},
            )
        ),
    )

    assert row("\n".join(text), "here:1 http") == ["7", "15.0", "0.0", "0"]


def test_a_counter_that_fell_began_again() -> None:
    key = (("channel", "a"), ("reason", "full"))
    text = lines(
        moment(process(0.0, fairway_drops_total={key: 1000.0})),
        moment(process(1.0, fairway_drops_total={key: 3.0})),
    )

    assert row("\n".join(text), "here:1 a") == ["full", "3.0", "3"]


def test_latency_on_the_bus_is_shown_where_processes_tell_it() -> None:
    def bus(count: float) -> dict[Any, float]:
        labels = [
            (("channel", "a"), ("le", bound)) for bound in ("0.01", "0.1", "+Inf")
        ]
        return dict(zip(labels, (0.0, count, count), strict=True))

    text = lines(
        moment(process(0.0, fairway_bus_seconds_bucket=bus(0))),
        moment(process(1.0, fairway_bus_seconds_bucket=bus(100))),
    )

    assert row("\n".join(text), "here:1 a") == ["100.0", "55.00", "99.10"]


@pytest.mark.parametrize(
    ("share", "expected"), [(0.25, 0.5), (0.7, 1.5), (0.9, 2.0), (0.99, 2.0)]
)
def test_quantiles(share: float, expected: float) -> None:
    buckets = {1.0: 100.0, 2.0: 180.0, float("inf"): 200.0}

    assert quantile(buckets, share) == pytest.approx(expected)


def test_nothing_has_no_quantile() -> None:
    assert quantile({1.0: 0.0, float("inf"): 0.0}, 0.5) is None


def test_what_a_process_tells_cannot_move_the_cursor() -> None:
    key = (("channel", "\x1b[2J"), ("reason", "full"))
    text = lines(
        moment(process(0.0)), moment(process(1.0, fairway_drops_total={key: 1}))
    )

    assert "\x1b" not in "".join(text)


def test_only_the_web_is_read() -> None:
    site = {"LAYER": "redis://127.0.0.1:1/0", "PLUGINS": {"http": {}}}
    with (
        override_settings(FAIRWAY=site),
        pytest.raises(CommandError, match="only http:// and https://"),
    ):
        call_command("fairway", "top", "--once", "--url", "file:///etc/passwd")
