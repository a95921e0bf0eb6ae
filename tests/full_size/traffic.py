"""Clients of mixed traffic, each of which knows what it must get."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from websockets.sync.client import ClientConnection, connect

from tests.full_size.client import download, upload
from tests.full_size.pattern import MEBIBYTE, blocks, digest

__all__ = ["Traffic"]

_TALK = 40
"""Messages of a WebSocket until it leaves and comes again."""
_PATIENCE = 30.0


class Traffic:
    """Uploads, downloads, echoes and groups at all ports while the block lasts.

    Attributes:
        done: how often each kind of client got what it must get.
    """

    def __init__(self, ports: list[int]) -> None:
        self.done: Counter[str] = Counter()
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(16)
        self._running: list[Future[None]] = []
        self._kinds: list[tuple[Callable[[int], str], int]] = [
            (client, port)
            for port in ports
            for client in (_upload, _download, _slow_reader, _echo, _slow_echo, _tell)
        ]

    def __enter__(self) -> Traffic:
        for client, port in self._kinds:
            self._running.append(self._threads.submit(self._repeat, client, port))
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._threads.shutdown()
        for each in self._running:
            each.result()

    def fail_early(self) -> None:
        """Raise what a client has met, if one has."""
        for each in self._running:
            if each.done():
                each.result()

    def _repeat(self, client: Callable[[int], str], port: int) -> None:
        while not self._stopping.wait(0.05):
            self.done[client(port)] += 1


def _upload(port: int) -> str:
    found = upload(port, "/raw/", blocks(1), size=MEBIBYTE)
    assert found == digest(blocks(1))
    return "uploads of 1 MiB"


def _download(port: int) -> str:
    assert download(port, "/stream/1/") == digest(blocks(1))
    return "downloads of 1 MiB"


def _slow_reader(port: int) -> str:
    assert download(port, "/stream/8/", slow=1.0) == digest(blocks(8))
    return "slow downloads of 8 MiB"


def _echo(port: int) -> str:
    _talk(port, [f"word {number}" for number in range(_TALK)])
    return f"WebSockets with {_TALK} echoes"


def _slow_echo(port: int) -> str:
    _talk(port, ["slow 0.3", "slow 0.2", "quick"])
    return "WebSockets with slow consumers"


def _tell(port: int) -> str:
    """Tell everybody; it hears itself, in order."""
    _talk(port, [f"everyone {port} {number}" for number in range(_TALK)])
    return f"WebSockets with {_TALK} messages to all"


def _talk(port: int, words: list[str]) -> None:
    with connect(f"ws://127.0.0.1:{port}/", proxy=None, open_timeout=30) as socket:
        assert socket.recv(_PATIENCE) == "welcome"
        for word in words:
            socket.send(word)
            assert _hear(socket, word)


def _hear(socket: ClientConnection, word: str) -> bool:
    """Wait for a word; what others tell everybody may come before it."""
    while (heard := socket.recv(_PATIENCE)) != word:
        assert str(heard).startswith("everyone "), (heard, word)
    return True
