"""A host, an exchange and a stream without sockets: the kit's contracts in memory."""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from fairway.kit import (
    Content,
    Headers,
    Host,
    Limits,
    LocalProtocolError,
    PeerRefused,
    RequestHead,
    Site,
    Stream,
    StreamHandler,
)
from fairway.plugins.websocket.spec import WebSocketConfig
from fairway.plugins.websocket.transport_twisted import WebSocketProtocol

from .wire import head, split_frames

__all__ = ["Client", "MemoryExchange", "MemoryHost", "MemoryStream", "serve"]


class Timer:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class ManualClock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        return self._now

    def call_at(self, when: float, call: Callable[[], None]) -> Timer:
        timer = Timer(call)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def pass_(self, seconds: float) -> None:
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            if timer.call is not None:
                timer.call()
        self._now = end

    @property
    def armed(self) -> int:
        """How many timers are waiting."""
        return sum(timer.call is not None for _, _, timer in self._timers)


class MemoryPeer:
    def __init__(self, handle: Any, client: str, number: int) -> None:
        self.handle = handle
        self.id = f"websocket:{number}"
        self.reply_channel = f"memory!{number}"
        self.client = client
        self.open = True


class MemoryHost:
    """Keeps what a protocol tells it, in order."""

    def __init__(self, *, limits: Limits | None = None, room: int = 1000) -> None:
        self.clock = ManualClock()
        self.log = logging.LoggerAdapter(logging.getLogger("tests.websocket"))
        self.limits = limits or Limits()
        self.site = Site(allowed_hosts=("example.com",))
        self.grace = 10.0
        self.events: list[tuple[str, Content]] = []
        self.drops: list[str] = []
        self.peers: list[MemoryPeer] = []
        self.on_emit: Callable[[MemoryPeer, str, Content], None] | None = None
        self._room = room

    def open_peer(
        self,
        handle: object,
        *,
        client: str,
        key: str | None = None,
        path: str | None = None,
        head: RequestHead | None = None,
    ) -> MemoryPeer:
        if len(self.peers) >= self._room:
            raise PeerRefused("peers_per_address", client)
        peer = MemoryPeer(handle, client, len(self.peers))
        self.peers.append(peer)
        return peer

    def close_peer(self, peer: MemoryPeer) -> None:
        peer.open = False

    def emit(self, peer: MemoryPeer, channel: str, content: Content) -> None:
        assert peer.open, "an event after the last one"
        self.events.append((channel, content))
        if self.on_emit is not None:
            self.on_emit(peer, channel, content)

    def drop(
        self, reason: str, peer: MemoryPeer | None = None, detail: str = ""
    ) -> None:
        self.drops.append(str(reason))


class MemoryStream:
    """Keeps what is written; `taken` says how much of it the client takes."""

    client = "192.0.2.1:5123"
    server: tuple[str, int | None] = ("127.0.0.1", 8000)
    secure = False

    def __init__(self) -> None:
        self.handler: StreamHandler | None = None
        self.written = bytearray()
        self.writes: list[bytes] = []
        self.taking = True
        self.untaken = 0
        self.reading = True
        self.state = "open"

    def write(self, data: bytes) -> None:
        if self.state == "open":
            self.written += data
            self.writes.append(data)
            self.untaken += 0 if self.taking else len(data)

    def close(self) -> None:
        if self.state == "open":
            self.state = "closed"
            if self.taking:
                self.lose("")

    def abort(self) -> None:
        self.state = "aborted"
        self.lose("aborted")

    def hold(self, reading: bool) -> None:
        self.reading = reading

    @property
    def unsent_bytes(self) -> int:
        return self.untaken

    def lose(self, reason: str) -> None:
        """End the connection."""
        handler, self.handler = self.handler, None
        if handler is not None:
            handler.closed(reason)


class MemoryExchange:
    """One request, and how it was answered."""

    def __init__(self, request: RequestHead) -> None:
        self.head = request
        self.stream: MemoryStream | None = None
        self.status = 0
        self.headers: Headers = []
        self.content = b""
        self.aborted = False
        self.reading = True
        self.early = b""
        self.fails = False
        self._closed: Callable[[], None] | None = None

    def respond(
        self,
        status: int,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
    ) -> None:
        assert self.status == 0, "answered twice"
        if self.fails:
            raise LocalProtocolError("a header is not allowed")
        self.status, self.headers, self.content = status, list(headers), body

    def upgrade(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        accept: Callable[[Stream], StreamHandler],
    ) -> None:
        assert self.status == 0, "answered twice"
        if self.fails:
            raise LocalProtocolError("the client did not ask")
        self.status, self.headers = 101, list(headers)
        self.stream = MemoryStream()
        self.stream.handler = accept(self.stream)
        if self.early:
            self.stream.handler.received(self.early)

    def abort(self) -> None:
        self.aborted = True

    def on_closed(self, call: Callable[[], None]) -> None:
        self._closed = call

    def hold(self, reading: bool) -> None:
        self.reading = reading

    def leave(self) -> None:
        """Let the client go before it was answered."""
        assert self._closed is not None
        self._closed()


class Client:
    """One client of a protocol that is served in memory."""

    def __init__(self, protocol: WebSocketProtocol, host: MemoryHost) -> None:
        self._protocol = protocol
        self.host = host
        self.exchange: MemoryExchange

    @property
    def stream(self) -> MemoryStream:
        assert self.exchange.stream is not None, "not accepted"
        return self.exchange.stream

    @property
    def peer(self) -> MemoryPeer:
        return self.host.peers[-1]

    def request(self, *extra: tuple[bytes, bytes], early: bytes = b"") -> None:
        """Ask for a WebSocket."""
        self.exchange = MemoryExchange(head(*extra))
        self.exchange.early = early
        self._protocol.open(cast(Any, self.exchange))

    def send(self, data: bytes) -> None:
        """Let bytes arrive."""
        if self.stream.handler is not None:
            self.stream.handler.received(data)

    def reply(self, content: Content) -> None:
        """Let a consumer reply."""
        self._protocol.deliver((self.peer,), content)

    @property
    def frames(self) -> list[tuple[int, bytes]]:
        """What was written to the client."""
        return split_frames(bytes(self.stream.written))


def serve(
    host: MemoryHost | None = None, **section: Any
) -> tuple[WebSocketProtocol, MemoryHost]:
    """Return a running protocol and its host."""
    host = host or MemoryHost()
    config = WebSocketConfig(**section)
    return WebSocketProtocol(config, cast(Host, host)), host


def deliver(
    protocol: WebSocketProtocol, peers: Sequence[MemoryPeer], content: Content
) -> None:
    """Let a reply arrive for peers."""
    protocol.deliver(cast(Any, peers), content)
