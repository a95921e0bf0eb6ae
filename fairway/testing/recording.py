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

A plugin with mounts gets its requests by `host.request(Request(path="/hook/"))`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from msgspec import Struct

from fairway.core.content import Content, encode_content
from fairway.core.drops import Drop
from fairway.core.exceptions import ConfigurationError, PeerRefused
from fairway.core.plugin.host import Peer, Refusal, Site
from fairway.core.plugin.protocol import BaseProtocol
from fairway.core.plugin.spec import ProtocolSpec
from fairway.core.plugin.web import Mount, MountPoint, RequestHead
from fairway.core.plugin.wire import DatagramHandler, Stream, StreamHandler
from fairway.core.settings import Limits
from fairway.testing.recording_web import RecordingExchange, Request
from fairway.testing.recording_wire import (
    ManualClock,
    RecordingListener,
    RecordingPort,
    RecordingStream,
)

__all__ = [
    "Emitted",
    "RecordedDrop",
    "RecordedFailure",
    "RecordingHost",
    "RecordingPeer",
]

_SETTLE_TURNS = 100

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


class RecordedFailure(Struct, frozen=True):
    """An exception that the protocol caught."""

    method: str
    error: Exception
    plugin: str
    """Whose code it was, if not the protocol's own."""


class RecordingPeer:
    """A peer of a `RecordingHost`.

    Attributes:
        keyed: whether the protocol gave the key of its identity.
    """

    def __init__(self, handle: object, identity: str, reply_channel: str) -> None:
        self.handle: Any = handle
        self.id = identity
        self.reply_channel = reply_channel
        self.client = ""
        self.path: str | None = None
        self.head: RequestHead | None = None
        self.open = True
        self.kept = False
        self.keyed = False

    def log_fields(self) -> Mapping[str, str]:
        """Return what a log line about it carries."""
        return {"peer": self.id}


class RecordingHost:
    """Carries one protocol and records what it does.

    Attributes:
        refusing: set it to refuse every event from then on, as a bus does that is full.
        events: what was emitted and not refused.
        drops: what was dropped.
        failures: what the protocol caught and told by `failed`.
        sent: what went out by `send`, by channel.
        forwards: what went out by `forward`, by reply channel.
        mount_points: what `mounts` returns, by protocol; set it.
        work: coroutines of `spawn` that were not begun, for `settle` or the test.
        reading_replies: what `hold_replies` was told last.
        exchanges: requests of clients.
        returned: what went out by `put_back`, by identity of the peer.
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
        self.failures: list[RecordedFailure] = []
        self.sent: list[tuple[str, Content]] = []
        self.forwards: list[tuple[str, Content]] = []
        self.mount_points: dict[str, list[MountPoint]] = {}
        self.work: list[Coroutine[Any, Any, None]] = []
        self.reading_replies = True
        self.returned: list[tuple[str, Content]] = []
        self.peers: dict[str, RecordingPeer] = {}
        self.listeners: list[RecordingListener] = []
        self.ports: list[RecordingPort] = []
        self._connected: list[RecordingStream] = []
        self.exchanges: list[RecordingExchange] = []
        self._protocol: BaseProtocol[Any] | None = None
        self._name = ""
        self._shared = False
        self._replies: frozenset[str] | None = None
        self._mounts: Sequence[Mount] = ()
        self._tasks: list[asyncio.Task[None]] = []
        self._max_content = max_content
        self._claims: dict[str, tuple[float, str]] = {}
        self._number = itertools.count(1)

    # What a test calls.

    def serve(
        self,
        protocol_class: type[ProtocolT],
        config: Any,
        spec: ProtocolSpec | None = None,
        mounts: Sequence[Mount] = (),
    ) -> ProtocolT:
        """Make a protocol and carry it.

        Args:
            spec: with it, replies with undeclared keys are reported as a host does.
            mounts: where its plugin stands on other protocols, for `request`.
        """
        protocol = protocol_class(config, self)
        self._protocol = protocol
        if spec is not None:
            self._name = spec.name
            self._shared = spec.peers == "shared"
            self._replies = frozenset(spec.replies)
        self._mounts = sorted(mounts, key=lambda mount: -len(mount.prefix))
        return protocol

    def connect(self, client: str = "192.0.2.1:5123") -> RecordingStream:
        """Connect to the first place where the protocol listens."""
        stream = self.listeners[0].connect(client)
        self._connected.append(stream)
        return stream

    def request(self, request: Request) -> RecordingExchange:
        """Send a request to the mount that takes it, as http does.

        Raises:
            LookupError: none does.
        """
        for mount in self._mounts:
            if (
                request.path.startswith(mount.prefix)
                and (not mount.methods or request.method in mount.methods)
                and (mount.upgrade is not None) is request.is_upgrade
            ):
                break
        else:
            raise LookupError(f"no mount takes {request.method} {request.path}")
        exchange = RecordingExchange(request)
        self.exchanges.append(exchange)
        mount.open(self.protocol, exchange)
        return exchange

    async def settle(self) -> None:
        """Run what the protocol spawned, as far as it comes by itself."""
        for _ in range(_SETTLE_TURNS):
            self._begin_work()
            if all(task.done() for task in self._tasks):
                break
            await asyncio.sleep(0)
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.remove(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                self.log.error("work of the protocol failed", exc_info=error)

    async def cancel_work(self) -> None:
        """Cancel what the protocol spawned and has not ended, as a host that stops."""
        self._begin_work()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def deliver(self, content: Content, *peers: Peer) -> None:
        """Send a reply to peers (all open ones by default) as a host does."""
        chosen = peers or tuple(peer for peer in self.peers.values() if peer.open)
        if self._shared:
            chosen = tuple(_without_handle(peer) for peer in chosen)
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
    def streams(self) -> list[RecordingStream]:
        """The connections of clients, those of upgrades included."""
        upgraded = [each.stream for each in self.exchanges if each.stream is not None]
        return [*self._connected, *upgraded]

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
        if (
            not self._shared
            and sum(peer.open for peer in self.peers.values()) >= self.limits.peers
        ):
            self.drop(Drop.LIMIT, None, "peers")
            raise PeerRefused("peers", client)
        peer = RecordingPeer(handle, identity, f"recording!{local}")
        peer.client = client
        peer.keyed = key is not None
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

    def put_back(self, peer: Peer, content: Content) -> None:
        """Record a reply that is left for another server."""
        encode_content(content, self._max_content)
        self.returned.append((peer.id, content))

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
        self,
        address: str,
        handler: DatagramHandler,
        *,
        reuse_port: bool = False,
        largest: int = 65_507,
    ) -> RecordingPort:
        """Make a port that a test sends to."""
        number = address.partition(":group=")[0].rpartition(":")[2]
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

    def failed(
        self,
        method: str,
        error: Exception,
        client: str = "",
        *,
        peer: Peer | None = None,
        plugin: str = "",
    ) -> None:
        """Record an exception that the protocol caught."""
        self.failures.append(RecordedFailure(method, error, plugin))
        self.log.error("%s() of %s failed", method, client, exc_info=error)

    def drop(self, reason: str, peer: Peer | None = None, detail: str = "") -> None:
        """Record a drop."""
        self.drops.append(RecordedDrop(str(reason), peer, detail))

    def _begin_work(self) -> None:
        work, self.work = self.work, []
        self._tasks += [asyncio.ensure_future(each) for each in work]

    def _record(
        self, peer: Peer | None, channel: str, content: Content
    ) -> Refusal | None:
        if len(encode_content(content, limit=2**31)) > self._max_content:
            return Refusal.TOO_LARGE
        if self.refusing is None:
            self.events.append(Emitted(peer, channel, content))
        return self.refusing


def _without_handle(peer: Peer) -> RecordingPeer:
    """Return a shared peer as the server that delivers to it knows it."""
    return RecordingPeer(None, peer.id, peer.reply_channel)
