"""Floods over real sockets: a valid peer is answered throughout, memory is bounded."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.plugins.udp.conftest import Client, Site

pytestmark = [pytest.mark.standard, pytest.mark.timeout(180)]

Serve = Callable[..., AbstractContextManager[Site]]
MEBIBYTE = 1024 * 1024


def test_no_datagrams_harm_a_running_server(site: Serve) -> None:
    rates = {"address_rate": 1e6, "network_rate": 1e6}
    with site(**rates) as served:
        stranger, valid = served.client(), served.client()
        junk = random.Random(5)
        valid.insist(b"before")
        before = served.resident

        for number in range(20_000):
            size = 0 if number % 50 == 0 else junk.randint(1, 300)
            stranger.send(junk.randbytes(size))
            if number % 100 == 0:
                stranger.send(bytes(65_507))
            if number % 200 == 0:
                assert valid.insist(b"%d" % number) < 10

        assert served.resident - before < 64 * MEBIBYTE


def flood(port: int, host: str, end: threading.Event) -> None:
    client = Client(port, host)
    client.socket.setblocking(False)
    while not end.is_set():
        for _ in range(100):
            try:
                client.send(b"flood")
            except BlockingIOError:
                break
    client.socket.close()


def test_a_flood_from_one_address_reaches_no_consumer(site: Serve) -> None:
    with site(address_rate=200) as served:
        valid = served.client()
        end = threading.Event()
        flooding = threading.Thread(target=flood, args=(served.port, "127.0.9.1", end))
        flooding.start()
        try:
            for number in range(30):
                valid.insist(b"%d" % number)
        finally:
            end.set()
            flooding.join()
        assert "dropped" in served.process.output()
        assert "udp: limit" in served.process.output()
        assert "udp.receive: full" not in served.process.output()


def test_fifty_thousand_addresses_cost_a_bounded_memory(site: Serve) -> None:
    """The table is full after the first tenth, so what follows costs nothing more."""
    with site(limits={"peers": 5_000}) as served:
        valid = served.client()
        resident = []
        for start in range(0, 50_000, 5_000):
            for number in range(start, start + 5_000):
                send_from(number, served.port)
                if number % 100 == 0:
                    assert valid.insist(b"%d" % number) < 10
            resident.append(served.resident)

        assert resident[-1] - resident[1] < 16 * MEBIBYTE


def send_from(number: int, port: int) -> None:
    host = f"127.{1 + number // 65_025}.{number // 255 % 255}.{1 + number % 254}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind((host, 0))
        client.sendto(b"hello", ("127.0.0.1", port))
