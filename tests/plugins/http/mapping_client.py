"""A client of the HTTP mapping without sockets, for its tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from fairway.kit import (
    Content,
    Hangup,
    MountPoint,
    Write,
)
from fairway.plugins.http.mapping import HttpMapping
from fairway.plugins.http.proxy import Origin
from fairway.plugins.http.spec import HttpConfig
from fairway.plugins.http.steps import HttpStep, Linger
from fairway.plugins.http.surroundings import Connection, Surroundings

T = TypeVar("T")

EPOCH = 1_000_000_000.0
DATE = b"Date: Sun, 09 Sep 2001 01:46:40 GMT\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK: Content = {"status": 200, "headers": [], "content": b"ok"}


def point(prefix: str, *, upgrade: str | None = None, methods: str = "") -> MountPoint:
    return MountPoint(
        prefix=prefix,
        methods=tuple(methods.split()),
        upgrade=upgrade,
        plugin="test",
        open=lambda exchange: None,
    )


class Client:
    """A mapping with the bytes it has written; time stands still unless moved."""

    def __init__(
        self, config: HttpConfig | None = None, mounts: Sequence[MountPoint] = ()
    ) -> None:
        config = HttpConfig(server_header="") if config is None else config
        origin = Origin("192.0.2.1:5", "http", ("192.0.2.2", 80))
        self.mapping = HttpMapping(
            Surroundings(config, mounts, "token"), Connection(7, origin, EPOCH)
        )
        self.now = 0.0
        self.steps: list[HttpStep] = []
        self.mapping.opened(0.0)

    def did(self, steps: Iterable[HttpStep]) -> list[HttpStep]:
        found = list(steps)
        self.steps += found
        return found

    def send(self, data: bytes) -> list[HttpStep]:
        return self.did(self.mapping.received(data, self.now))

    def reply(self, content: Content, *, room: bool = True) -> list[HttpStep]:
        return self.did(self.mapping.reply(content, self.now, room=room))

    def wait(self, seconds: float, backlog: int = 0) -> list[HttpStep]:
        self.now += seconds
        return self.did(self.mapping.deadline_passed(self.now, backlog))

    def all(self, kind: type[T]) -> list[T]:
        return [step for step in self.steps if isinstance(step, kind)]

    @property
    def written(self) -> bytes:
        return b"".join(write.data for write in self.all(Write))

    @property
    def statuses(self) -> list[int]:
        return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d+) ", self.written)]

    @property
    def hung_up(self) -> bool:
        return bool(self.all(Hangup))

    @property
    def said_goodbye(self) -> bool:
        """Whether the client knows that nothing follows."""
        return bool(self.all(Hangup) or self.all(Linger))


def post(body: bytes, *lines: bytes) -> bytes:
    head = [b"POST / HTTP/1.1", b"Host: a", *lines]
    return b"\r\n".join([*head, b"Content-Length: %d" % len(body), b"", body])


def answer(
    *lines: bytes, body: bytes = b"", start: bytes = b"HTTP/1.1 200 OK"
) -> bytes:
    return b"".join(line + b"\r\n" for line in [start, *lines]) + b"\r\n" + body


HEAD = GET.replace(b"GET", b"HEAD")
OLD = b"GET / HTTP/1.0\r\n\r\n"
OLD_KEPT = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
LENGTH_2 = b"Content-Length: 2"
CHUNKED = b"Transfer-Encoding: chunked"
FIRST: Content = {"status": 200, "headers": [], "content": b"a", "more_content": True}
TEXT = b"Content-Type: text/plain; charset=utf-8"
BINARY = b"Content-Type: application/octet-stream"
NO_CONTENT = b"HTTP/1.1 204 No Content"
LENGTH_2 = b"Content-Length: 2"
UPGRADE = GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
