"""An interface server with http, and a thread that answers as a worker would."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.content import Content, encode_content
from fairway.core.exceptions import FairwayError
from fairway.core.plugin.host import Site
from fairway.core.plugin.loading import Plugins
from fairway.core.settings import read_settings
from fairway.interfaces.server import InterfaceServer
from fairway.kit import Exchange, Mount, hookimpl
from fairway.plugins.http.transport_twisted import HttpProtocol
from tests.support.loop import LoopThread
from tests.support.waiting import wait_until

__all__ = ["Client", "Mounted", "Response", "Serving", "serving"]

Consumer: TypeAlias = Callable[["Serving", Content], None]

CHUNK = 256 * 1024


class Mounted:
    """A plugin that mounts functions on http."""

    def __init__(self) -> None:
        self.mounts: list[Mount] = []
        self.failures: list[tuple[str, str, str]] = []
        """What is told of plugins that failed."""

    def add(
        self, prefix: str, open_: Callable[[Exchange], None], **more: Any
    ) -> Mounted:
        def opened(protocol: Any, exchange: Exchange) -> None:
            open_(exchange)

        self.mounts.append(Mount(prefix=prefix, open=opened, **more))
        return self

    @hookimpl
    def fairway_mounts(self) -> Sequence[Mount]:
        return self.mounts

    @hookimpl
    def fairway_plugin_failed(
        self, plugin: str, hook: str, exception: Exception
    ) -> None:
        self.failures.append((plugin, hook, str(exception)))


class Serving:
    """A running server; `consumers` answer by path, in one thread."""

    def __init__(
        self,
        loop: LoopThread,
        consumers: Mapping[str, Consumer],
        settings: Mapping[str, Any],
        mounted: Mounted,
        *,
        capacity: int,
    ) -> None:
        policy = LayerPolicy(capacity=lambda channel: capacity)
        self.layer = MemoryLayer("memory://", policy)
        self.events: list[tuple[str, Content]] = []
        self._loop = loop
        self._consumers = consumers
        self._receiver = self.layer.receiver(["http.request", "http.disconnect"])
        self._thread = threading.Thread(target=self._consume, daemon=True)
        read = read_settings(settings)
        plugins = Plugins(read, builtin={"mounted": mounted})
        self.server = loop.call(
            lambda: InterfaceServer(self.layer, plugins, read, Site())
        )
        self._stopping = False

    def start(self) -> None:
        self._loop.run(self.server.start())
        self._thread.start()

    def stop(self, grace: float = 0.2) -> None:
        self._loop.run(self.server.stop(grace))
        self._stopping = True
        self._receiver.close()
        self._thread.join(10)

    @property
    def http(self) -> HttpProtocol:
        protocol = self.server.protocols["http"]
        assert isinstance(protocol, HttpProtocol)
        return protocol

    @property
    def port(self) -> int:
        return self.http.listeners[0].port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def channels(self) -> list[str]:
        return [channel for channel, _ in self.events]

    def requests(self) -> list[Content]:
        return [content for name, content in self.events if name == "http.request"]

    def reply(self, event: Content, **content: Any) -> None:
        self.layer.send(event["reply_channel"], encode_content(content))

    def on_disk(self) -> int:
        return self._loop.call(lambda: self.http.spools.on_disk)

    def call(self, call: Callable[[], Any]) -> Any:
        return self._loop.call(call)

    def _consume(self) -> None:
        while not self._stopping:
            for delivery in self._receiver.take(10):
                content = delivery.content()
                self.events.append((delivery.channel, content))
                if delivery.channel == "http.request":
                    self._answer(content)

    def _answer(self, event: Content) -> None:
        consumer = self._consumers.get(event["path"], hello)
        try:
            consumer(self, event)
        except FairwayError:
            if not self._stopping:
                raise


def hello(serving: Serving, event: Content) -> None:
    serving.reply(event, status=200, headers=[], content=b"hello")


@contextmanager
def serving(
    loop: LoopThread,
    consumers: Mapping[str, Consumer] | None = None,
    *,
    mounted: Mounted | None = None,
    limits: Mapping[str, Any] | None = None,
    capacity: int = 1_000,
    **section: Any,
) -> Iterator[Serving]:
    """Serve until the block ends.

    Args:
        limits: `LIMITS` of the settings.
        capacity: messages that a channel may hold.
        section: settings of http.
    """
    section.setdefault("bind", ["tcp:0:interface=127.0.0.1"])
    settings = {"PLUGINS": {"http": section}, "LIMITS": dict(limits or {})}
    made = Serving(
        loop, consumers or {}, settings, mounted or Mounted(), capacity=capacity
    )
    made.start()
    try:
        yield made
    finally:
        made.stop()


class Response:
    """One response as a raw client reads it."""

    def __init__(self, head: bytes, body: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        self.body = body


class Client:
    """A raw socket that can be as rude as it likes."""

    def __init__(self, served: Serving, *, receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", served.port))
        self._buffer = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def get(self, path: str = "/", *lines: str, method: str = "GET") -> None:
        head = [f"{method} {path} HTTP/1.1", "Host: a", *lines, "", ""]
        self.send("\r\n".join(head).encode())

    def post(self, body: bytes, path: str = "/") -> None:
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        self.send(head.encode() + body)

    def read_until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._more()
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def read_to_end(self) -> bytes:
        """Return everything until the server closes the connection."""
        try:
            while True:
                self._more()
        except EOFError:
            found, self._buffer = self._buffer, b""
            return found

    def response(self, *, method: str = "GET") -> Response:
        head = self.read_until(b"\r\n\r\n")
        found = Response(head, b"")
        if method == "HEAD" or found.status in (204, 304) or found.status < 200:
            return found
        if found.headers.get("transfer-encoding") == "chunked":
            found.body = self._chunks()
        elif "content-length" in found.headers:
            found.body = self.read(int(found.headers["content-length"]))
        else:
            found.body = self.read_to_end()
        return found

    def status(self) -> int:
        return self.response().status

    def is_closed(self) -> bool:
        """Return True once the server has closed; AssertionError when it sends more."""
        rest = self.read_to_end()
        assert not rest, rest
        return True

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.read_until(b"\r\n"), 16):
            parts.append(self.read(size))
            assert self.read(2) == b"\r\n"
        assert self.read(2) == b"\r\n"
        return b"".join(parts)

    def _more(self) -> None:
        try:
            data = self.socket.recv(256 * 1024)
        except ConnectionResetError:
            data = b""
        if not data:
            raise EOFError(self._buffer[:200])
        self._buffer += data


def pull_body(served: Serving, event: Content) -> bytes:
    """Pull a spooled body as the worker's side does: 8 chunks, then 4 for each 4."""
    if "body_channel" not in event:
        body: bytes = event["body"]
        return body
    receiver = served.layer.receiver([event["body_channel"]])
    served.reply(event, pull_body=8)
    parts: list[bytes] = []
    while True:
        for delivery in receiver.take(4, 20):
            content = delivery.content()
            if content.get("closed"):
                raise EOFError
            assert len(content["content"]) <= CHUNK
            parts.append(content["content"])
            if not content["more_content"]:
                receiver.close()
                return b"".join(parts)
            if len(parts) % 4 == 0:
                served.reply(event, pull_body=4)


def produce(served: Serving, event: Content, chunks: int, seen: list[int]) -> None:
    """Stream chunks with credit as the worker's side does; note the open window."""
    channel = served.layer.new_channel("http.credit?")
    receiver = served.layer.receiver([channel])
    served.reply(
        event, status=200, headers=[], more_content=True, credit_channel=channel
    )
    left = 7
    for number in range(chunks):
        while left == 0:
            for delivery in receiver.take(8, 20) or wait_forever():
                content = delivery.content()
                if content.get("closed"):
                    seen.append(-1)
                    return
                left += content["credit"]
        left -= 1
        content = bytes([number % 256]) * CHUNK
        served.reply(event, content=content, more_content=number < chunks - 1)
        seen.append(number)


def wait_forever() -> list[Any]:
    raise AssertionError("no credit within 20 seconds")


def sizes(data: bytes) -> list[int]:
    return [len(run.group()) for run in re.finditer(rb"(.)\1*", data, re.DOTALL)]


def settled(served: Serving) -> None:
    """Wait until no body is on disk any more."""
    wait_until(lambda: served.on_disk() == 0)
