"""A host without sockets and without a bus, for tests of protocols.

It does what `fairway.core.plugin.host.Host` promises, in memory: time stands still
until a test moves it, streams and datagram ports record what is sent, events are kept
in a list.

    host = RecordingHost()
    protocol = host.serve(LinesProtocol, Lines())
    asyncio.run(protocol.start())
    stream = host.connect()
    stream.feed(b"hello\\n")
    assert host.contents("lines.receive") == [{"text": "hello"}]
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ParamSpec, TypeVar

from msgspec import Struct

from fairway.core.content import Content, encode_content
from fairway.core.drops import Drop
from fairway.core.exceptions import ConfigurationError, PeerRefused
from fairway.core.plugin.host import Peer, Refusal, Site
from fairway.core.plugin.protocol import BaseProtocol
from fairway.core.plugin.spec import ProtocolSpec
from fairway.core.plugin.web import MountPoint, RequestHead
from fairway.core.plugin.wire import DatagramHandler, Stream, StreamHandler
from fairway.core.settings import Limits
from fairway.testing.recording_wire import (
    ManualClock,
    RecordingListener,
    RecordingPort,
    RecordingStream,
)

__all__ = ["Emitted", "RecordedDrop", "RecordingHost", "RecordingPeer"]

P = ParamSpec("P")
T = TypeVar("T")
ProtocolT = TypeVar("ProtocolT", bound=BaseProtocol[Any])


class Emitted(Struct, frozen=True):
    """An event as the protocol emitted it, without the envelope."""

    peer: Peer | None
    channel: str
    content: Content


class RecordedDrop(Struct, frozen=True):
    """Something that the protocol or the host dropped."""

    reason: str
    peer: Peer | None
    detail: str


class RecordingPeer:
    """A peer of a `RecordingHost`."""

    def __init__(self, handle: object, identity: str, reply_channel: str) -> None:
        self.handle: Any = handle
        self.id = identity
        self.reply_channel = reply_channel
        self.client = ""
        self.path: str | None = None
        self.head: RequestHead | None = None
        self.open = True
        self.kept = False


class RecordingHost:
    """Carries one protocol and records what it does.

    Attributes:
        refusing: set it to refuse every event from then on, as a bus does that is full.
        events: what was emitted and not refused.
        drops: what was dropped.
        sent: what went out by `send`, by channel.
        forwards: what went out by `forward`, by reply channel.
        mount_points: what `mounts` returns, by protocol; set it.
        work: coroutines of `spawn`, for the test to await.
        reading_replies: what `hold_replies` was told last.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        site: Site | None = None,
        max_content: int = 1024 * 1024,
    ) -> None:
        self.clock = ManualClock()
        self.log: logging.LoggerAdapter[logging.Logger] = logging.LoggerAdapter(
            logging.getLogger("fairway.testing"), {}
        )
        self.limits = limits or Limits()
        self.site = site or Site()
        self.grace = 30.0
        self.refusing: Refusal | None = None
        self.events: list[Emitted] = []
        self.drops: list[RecordedDrop] = []
        self.sent: list[tuple[str, Content]] = []
        self.forwards: list[tuple[str, Content]] = []
        self.mount_points: dict[str, list[MountPoint]] = {}
        self.work: list[Coroutine[Any, Any, None]] = []
        self.reading_replies = True
        self.peers: dict[str, RecordingPeer] = {}
        self.listeners: list[RecordingListener] = []
        self.ports: list[RecordingPort] = []
        self._protocol: BaseProtocol[Any] | None = None
        self._name = ""
        self._replies: frozenset[str] | None = None
        self._max_content = max_content
        self._claims: dict[str, tuple[float, str]] = {}
        self._number = itertools.count(1)

    # What a test calls.

    def serve(
        self,
        protocol_class: type[ProtocolT],
        config: Any,
        spec: ProtocolSpec | None = None,
    ) -> ProtocolT:
        """Make a protocol and carry it.

        Args:
            spec: with it, replies with undeclared keys are reported as a host does.
        """
        protocol = protocol_class(config, self)
        self._protocol = protocol
        if spec is not None:
            self._name = spec.name
            self._replies = frozenset(spec.replies)
        return protocol

    def connect(self, client: str = "192.0.2.1:5123") -> RecordingStream:
        """Connect to the first place where the protocol listens."""
        return self.listeners[0].connect(client)

    def deliver(self, content: Content, *peers: Peer) -> None:
        """Send a reply to peers (all open ones by default) as a host does."""
        chosen = peers or tuple(peer for peer in self.peers.values() if peer.open)
        if self._replies is not None and not self._replies.issuperset(content):
            unknown = sorted(content.keys() - self._replies)
            self.drop(Drop.UNSUPPORTED, None, ", ".join(unknown))
        try:
            self.protocol.deliver(chosen, content)
        except Exception as error:
            self.drop(Drop.FAILED, None, repr(error))

    def contents(self, channel: str) -> list[Content]:
        """Return the contents of the events on a channel."""
        return [event.content for event in self.events if event.channel == channel]

    @property
    def protocol(self) -> BaseProtocol[Any]:
        """The protocol that it carries."""
        assert self._protocol is not None, "call serve() first"
        return self._protocol

    @property
    def channels(self) -> list[str]:
        """The channels of all events, in order."""
        return [event.channel for event in self.events]

    # What the protocol calls.

    def open_peer(
        self,
        handle: object,
        *,
        client: str,
        key: str | None = None,
        path: str | None = None,
        head: RequestHead | None = None,
        handshake: bool = True,
    ) -> RecordingPeer:
        """Begin a peer; only the limit `peers` stands before it."""
        local = str(next(self._number))
        identity = f"{self._name}:{local if key is None else key}"
        known = self.peers.get(identity)
        if known is not None and known.open:
            return known
        if sum(peer.open for peer in self.peers.values()) >= self.limits.peers:
            self.drop(Drop.LIMIT, None, "peers")
            raise PeerRefused("peers", client)
        peer = RecordingPeer(handle, identity, f"recording!{local}")
        peer.client = client
        peer.path = path if head is None else head.path
        peer.head = head
        self.peers[identity] = peer
        return peer

    def close_peer(self, peer: Peer) -> None:
        """End a peer."""
        self.peers[peer.id].open = False

    def emit(self, peer: Peer | None, channel: str, content: Content) -> None:
        """Record an event, or refuse it."""
        if (why := self._record(peer, channel, content)) is not None:
            self.protocol.refuse(peer, channel, content, why)

    async def emitted(
        self, peer: Peer | None, channel: str, content: Content
    ) -> Refusal | None:
        """Record an event, or say why not."""
        return self._record(peer, channel, content)

    def hold_replies(self, reading: bool) -> None:
        """Keep what the protocol asked for."""
        self.reading_replies = reading

    def send(self, channel: str, content: Content) -> None:
        """Record content for a channel."""
        encode_content(content, self._max_content)
        self.sent.append((channel, content))

    async def listen_stream(
        self, endpoint: str, accept: Callable[[Stream], StreamHandler]
    ) -> RecordingListener:
        """Make a place where a test connects."""
        if not endpoint:
            raise ConfigurationError("bind", "has an empty endpoint")
        listener = RecordingListener(endpoint, accept)
        self.listeners.append(listener)
        return listener

    async def listen_datagram(
        self, address: str, handler: DatagramHandler
    ) -> RecordingPort:
        """Make a port that a test sends to."""
        number = address.rpartition(":")[2]
        if not address.startswith("udp:") or not number.isdecimal():
            raise ConfigurationError("bind", f"has {address!r}")
        port = RecordingPort(int(number), handler)
        self.ports.append(port)
        return port

    def mounts(self, on: str) -> Sequence[MountPoint]:
        """Return what the test mounted."""
        return self.mount_points.get(on, [])

    def forward(self, reply_channel: str, content: Content) -> None:
        """Record a forward."""
        encode_content(content, self._max_content)
        self.forwards.append((reply_channel, content))

    async def claim(self, key: str, ttl: float, owner: str = "") -> bool:
        """Return True to the first caller, or owner, for `ttl` seconds."""
        end, holder = self._claims.get(key, (0.0, ""))
        if end > self.clock.now() and (not owner or owner != holder):
            return False
        self._claims[key] = (self.clock.now() + ttl, owner)
        return True

    async def blocking(
        self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Make the call at once."""
        return call(*args, **kwargs)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Keep a coroutine for the test."""
        self.work.append(work)

    def drop(self, reason: str, peer: Peer | None = None, detail: str = "") -> None:
        """Record a drop."""
        self.drops.append(RecordedDrop(str(reason), peer, detail))

    def _record(
        self, peer: Peer | None, channel: str, content: Content
    ) -> Refusal | None:
        if len(encode_content(content, limit=2**31)) > self._max_content:
            return Refusal.TOO_LARGE
        if self.refusing is None:
            self.events.append(Emitted(peer, channel, content))
        return self.refusing
