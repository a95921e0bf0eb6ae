"""Guests of the site in `one`: a real client for each protocol, all with one face."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import NamedTuple, Protocol

import httpx
from websockets.sync.client import connect

from tests.examples_plugins.mosquitto import Broker, Device
from tests.plugins.longpoll.poller import Poller

__all__ = ["DOORS", "Guest", "Ports"]

PATIENCE = 20.0
PHONE = "+46701740610"


class Ports(NamedTuple):
    """Where an interface server listens, and the broker that it is a client of."""

    web: int
    udp: int
    irc: int
    broker: Broker


class Guest(Protocol):
    """Somebody who says texts and hears texts."""

    def say(self, text: str) -> None:
        """Say something."""

    def hear(self) -> str:
        """Return the next text; fails when none comes."""


class _Heard:
    """A guest whose texts come in a thread of its own, from wherever it listens."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self.texts: queue.Queue[str] = queue.Queue()
        self._say = say

    def say(self, text: str) -> None:
        self._say(text)

    def hear(self) -> str:
        return self.texts.get(timeout=PATIENCE)


class _Asked:
    """A guest that hears when it asks."""

    def __init__(
        self, say: Callable[[str], object], hear: Callable[[], str | bytes]
    ) -> None:
        self._say = say
        self._hear = hear

    def say(self, text: str) -> None:
        self._say(text)

    def hear(self) -> str:
        heard = self._hear()
        return heard if isinstance(heard, str) else heard.decode()


@contextmanager
def by_websocket(servers: list[Ports]) -> Iterator[Guest]:
    """Come by a WebSocket to the first server."""
    url = f"ws://127.0.0.1:{servers[0].web}/"
    with connect(url, proxy=None, open_timeout=PATIENCE) as guest:
        yield _Asked(guest.send, lambda: guest.recv(PATIENCE))


@contextmanager
def by_longpoll(servers: list[Ports]) -> Iterator[Guest]:
    """Begin at the first server, and send and poll at the second."""
    waiting: list[str] = []

    def hear() -> str:
        while not waiting:
            waiting.extend(second.hear())
        return waiting.pop(0)

    with (
        closing(Poller(servers[0].web, "/poll/")) as first,
        closing(Poller(servers[1].web, "/poll/")) as second,
    ):
        assert first.begin().status_code == 200
        second.token = first.token
        yield _Asked(second.send, hear)


@contextmanager
def by_udp(servers: list[Ports]) -> Iterator[Guest]:
    """Send datagrams to the second server."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as guest:
        guest.settimeout(PATIENCE)
        guest.connect(("127.0.0.1", servers[1].udp))
        yield _Asked(lambda text: guest.send(text.encode()), lambda: guest.recv(2_000))


@contextmanager
def by_sms(servers: list[Ports]) -> Iterator[Guest]:
    """Text by way of the second server; the answers come by either of them."""
    addresses = [f"http://127.0.0.1:{server.web}/sms/phone/" for server in servers]

    def text(what: str) -> None:
        typed = {"number": PHONE, "text": what}
        assert http.post(f"{addresses[1]}texts/", json=typed).status_code == 202

    def listen(address: str) -> None:
        with (
            httpx.Client(timeout=None, trust_env=False) as own,
            own.stream("GET", f"{address}events/", params={"number": PHONE}) as stream,
        ):
            ready.release()
            for line in stream.iter_lines():
                if is_over.is_set():
                    return
                field, _, data = line.partition(": ")
                shown = json.loads(data) if field == "data" else {}
                if shown.get("incoming") and shown["status"] == "sent":
                    guest.texts.put(shown["text"])

    guest, is_over, ready = _Heard(text), threading.Event(), threading.Semaphore(0)
    threads = [threading.Thread(target=listen, args=(one,)) for one in addresses]
    with httpx.Client(timeout=PATIENCE, trust_env=False) as http:
        for thread in threads:
            thread.start()
        try:
            for _ in threads:
                assert ready.acquire(timeout=PATIENCE)
            yield guest
        finally:
            is_over.set()
            switched = {"number": PHONE, "reachable": True}
            for address in addresses:  # an event for each stream, which then ends
                http.post(f"{address}reception/", json=switched)
            for thread in threads:
                thread.join(PATIENCE)


@contextmanager
def by_irc(servers: list[Ports]) -> Iterator[Guest]:
    """Sign on at the first server, and talk to its nick."""

    def hear() -> str:
        for line in lines:
            if " PRIVMSG " in line:
                return line.rstrip("\r\n").split(" :", 1)[1]
        raise AssertionError("the server hung up")

    address = ("127.0.0.1", servers[0].irc)
    with (
        socket.create_connection(address, timeout=PATIENCE) as guest,
        guest.makefile("r", encoding="utf-8") as lines,
    ):
        guest.sendall(b"NICK ada\r\nUSER ada 0 * :Ada\r\n")
        yield _Asked(
            lambda text: guest.sendall(f"PRIVMSG site :{text}\r\n".encode()), hear
        )


@contextmanager
def by_mqtt(servers: list[Ports]) -> Iterator[Guest]:
    """Publish as a device; either server may hear it."""
    with Device(servers[0].broker, "devices/lamp/down") as lamp:
        yield _Asked(lambda text: lamp.publish("devices/lamp/up", text), lamp.hear)


DOORS: dict[str, Callable[[list[Ports]], AbstractContextManager[Guest]]] = {
    "websocket": by_websocket,
    "longpoll": by_longpoll,
    "udp": by_udp,
    "sms": by_sms,
    "irc": by_irc,
    "mqtt": by_mqtt,
}
"""How guests come in, by protocol."""
