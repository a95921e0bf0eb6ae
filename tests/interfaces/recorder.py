"""A stream handler that records what it is told, for tests of both kinds of streams."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import trustme

from fairway.core.plugin.wire import Listener, Stream, StreamHandler
from fairway.interfaces.clock import Wheel
from fairway.interfaces.streams import Listening
from tests.support.loop import LoopThread, wait_until

__all__ = ["Place", "Recorder", "listening_for", "read_exactly", "read_to_end"]

KINDS = ["loop", "twisted", "tls", "unix"]
"""Plain TCP on the loop's transports; TCP, TLS and Unix sockets on Twisted's."""


class Recorder:
    """One connection as its handler sees it."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.data = b""
        self.writable_calls: list[bool] = []
        self.ends: list[str] = []
        self.on_data: Callable[[Recorder], None] = lambda recorder: None
        self.on_end: Callable[[], None] = lambda: None

    def received(self, data: bytes) -> None:
        assert data
        assert not self.ends
        self.data += data
        self.on_data(self)

    def writable(self, ready: bool) -> None:
        self.writable_calls.append(ready)

    def closed(self, reason: str) -> None:
        self.ends.append(reason)
        self.on_end()


class Place:
    """A listener of one kind, and the recorders of its connections."""

    def __init__(self, kind: str, loop: LoopThread, directory: Path) -> None:
        self.kind = kind
        self.loop = loop
        self.recorders: list[Recorder] = []
        self.failures: list[tuple[str, str]] = []
        """Which method raised what."""
        self.setup: Callable[[Recorder], None] = lambda recorder: None
        self.authority = trustme.CA() if kind == "tls" else None
        self._directory = directory
        self._lock = threading.Lock()
        self.listener: Listener | None = None

    def accept(self, stream: Stream) -> Recorder:
        recorder = Recorder(stream)
        self.recorders.append(recorder)
        self.setup(recorder)
        return recorder

    @property
    def listening(self) -> Listening:
        """What the streams of this place have in common."""
        return listening_for(self.accept, self.loop, self.failures)

    @property
    def endpoint(self) -> str:
        """Where to listen, as settings say it."""
        if self.kind == "unix":
            return f"unix:{self._directory / 'test.sock'}"
        if self.authority is None:
            return "tcp:0:interface=127.0.0.1"
        certificate = self._directory / "certificate.pem"
        self.authority.issue_cert(
            "127.0.0.1"
        ).private_key_and_cert_chain_pem.write_to_path(certificate)
        path = str(certificate).replace(":", "\\:")
        return f"ssl:0:interface=127.0.0.1:privateKey={path}:certKey={path}"

    def connect(self) -> socket.socket:
        """Return a client that is connected, once the server knows it."""
        known = len(self.recorders)
        client = self.connect_unseen()
        wait_until(lambda: len(self.recorders) > known)
        return client

    def connect_unseen(self) -> socket.socket:
        """Return a client that is connected, with TLS where the place has it."""
        client = self.connect_bare()
        if self.authority is None:
            return client
        # The default one reads all certificates of the system, which takes 30 ms.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        return context.wrap_socket(client, server_hostname="127.0.0.1")

    def connect_bare(self) -> socket.socket:
        """Return a client that is connected, without TLS."""
        assert self.listener is not None
        if self.kind != "unix":
            return socket.create_connection(("127.0.0.1", self.listener.port), 20)
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        try:
            client.connect(self.listener.address)
        except OSError:
            client.close()
            raise
        return client

    def on_stream(self, call: Callable[[Stream], object], index: int = 0) -> None:
        """Call something with a server's end of a connection, in the loop."""
        self.loop.call(lambda: call(self.recorders[index].stream))


def listening_for(
    accept: Callable[[Stream], StreamHandler],
    loop: LoopThread,
    failures: list[tuple[str, str]] | None = None,
) -> Listening:
    """Return what the streams of one listener have in common."""
    heard = [] if failures is None else failures

    def failed(method: str, error: Exception, client: str) -> None:
        heard.append((method, str(error)))

    return Listening(accept, Wheel(loop.loop), failed)


def read_exactly(client: socket.socket, size: int) -> bytes:
    """Read so many bytes from a client's end."""
    data = b""
    while len(data) < size:
        part = client.recv(min(65_536, size - len(data)))
        assert part, f"the connection ended after {len(data)} bytes"
        data += part
    return data


def read_to_end(client: socket.socket) -> bytes:
    """Read from a client's end until the server closes or cuts it."""
    data = b""
    try:
        while part := client.recv(65_536):
            data += part
    except (ConnectionResetError, ssl.SSLError):
        pass
    return data
