"""WebSockets served on a recording host: exchanges of http without http."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from fairway.kit import (
    Content,
    Headers,
    Limits,
    LocalProtocolError,
    Peer,
    RequestHead,
    Site,
    Stream,
    StreamHandler,
)
from fairway.plugins.websocket.spec import SPEC, WebSocketConfig
from fairway.plugins.websocket.transport_twisted import WebSocketProtocol
from fairway.testing.recording import RecordingHost, RecordingPeer
from fairway.testing.recording_wire import ManualClock, RecordingStream

from .wire import head, split_frames

__all__ = [
    "Client",
    "EventCall",
    "MemoryExchange",
    "MemoryHost",
    "MemoryStream",
    "channels",
    "deliver",
    "reasons",
    "serve",
    "told",
]

EventCall = Callable[[Any, str, Content], None]


class CountingClock(ManualClock):
    """Knows how many timers wait."""

    def call_at(self, when: float, call: Callable[[], None]) -> Any:
        timer = super().call_at(when, call)
        self.made = [*getattr(self, "made", ()), timer]
        return timer

    @property
    def armed(self) -> int:
        return sum(timer.call is not None for timer in getattr(self, "made", ()))


class MemoryHost(RecordingHost):
    """Calls `on_emit` with each event, as a consumer that is there at once."""

    def __init__(self, *, limits: Limits | None = None) -> None:
        super().__init__(limits=limits, site=Site(allowed_hosts=("example.com",)))
        self.clock: CountingClock = CountingClock()
        self.on_emit: EventCall | None = None

    def emit(self, peer: Peer | None, channel: str, content: Content) -> None:
        assert peer is not None
        assert peer.open, "an event after the last one"
        super().emit(peer, channel, content)
        if self.on_emit is not None:
            self.on_emit(peer, channel, content)

    @property
    def everybody(self) -> list[RecordingPeer]:
        """All peers there ever were."""
        return list(self.peers.values())


def told(host: MemoryHost) -> list[tuple[str, Content]]:
    """Return channel and content of all events."""
    return [(event.channel, event.content) for event in host.events]


def channels(host: MemoryHost) -> list[str]:
    """Return the channels of all events without the protocol's name."""
    return [channel.partition(".")[2] for channel in host.channels]


def reasons(host: MemoryHost) -> list[str]:
    """Return why something was dropped."""
    return [drop.reason for drop in host.drops]


class MemoryStream(RecordingStream):
    """Keeps the very objects that were written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.broken = False

    def write(self, data: bytes) -> None:
        if self.broken:
            raise RuntimeError("the stream is broken")
        self.writes.append(data)
        super().write(data)


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
        self.stream.begin(accept)
        self.stream.feed(self.early)

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
    def peer(self) -> RecordingPeer:
        return self.host.everybody[-1]

    def request(self, *extra: tuple[bytes, bytes], early: bytes = b"") -> None:
        """Ask for a WebSocket."""
        self.exchange = MemoryExchange(head(*extra))
        self.exchange.early = early
        self._protocol.open(cast(Any, self.exchange))

    def send(self, data: bytes) -> None:
        """Let bytes arrive."""
        self.stream.feed(data)

    def reply(self, content: Content) -> None:
        """Let a consumer reply."""
        self._protocol.deliver((self.peer,), content)

    @property
    def frames(self) -> list[tuple[int, bytes]]:
        """What was written to the client, taken by it or not."""
        return split_frames(b"".join(self.stream.writes))


def serve(
    host: MemoryHost | None = None, **section: Any
) -> tuple[WebSocketProtocol, MemoryHost]:
    """Return a running protocol and its host."""
    host = host or MemoryHost()
    return host.serve(WebSocketProtocol, WebSocketConfig(**section), SPEC), host


def deliver(
    protocol: WebSocketProtocol, peers: Sequence[Peer], content: Content
) -> None:
    """Let a reply arrive for peers."""
    protocol.deliver(peers, content)
