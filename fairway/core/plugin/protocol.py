"""Protocols: what a host runs, and ready-made bases that run a pure mapping on it.

A mapping takes wire events and the time and returns steps; it calls nobody. A base
performs the steps: it is the only place where they become effects.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from msgspec import Struct

from fairway.core.content import Content
from fairway.core.drops import Drop
from fairway.core.exceptions import RemoteProtocolError
from fairway.core.plugin.host import Host, Peer, Refusal
from fairway.core.plugin.web import Exchange
from fairway.core.plugin.wire import Clock, DatagramPort, Listener, Stream, Timer
from fairway.core.settings import Config

__all__ = [
    "BaseProtocol",
    "DatagramMapping",
    "DatagramProtocol",
    "Deadline",
    "Emit",
    "Hangup",
    "Step",
    "StreamMapping",
    "StreamProtocol",
    "WebhookProtocol",
    "Write",
]

ConfigT = TypeVar("ConfigT", bound=Config)


class Emit(Struct, frozen=True, gc=False):
    """Step: put an event on a channel."""

    channel: str
    content: Content


class Write(Struct, frozen=True, gc=False):
    """Step: send bytes (on a datagram protocol: one datagram)."""

    data: bytes


class Hangup(Struct, frozen=True, gc=False):
    """Step: end the peer's connection after what was written."""

    reason: str = ""


Step: TypeAlias = Emit | Write | Hangup


class BaseProtocol(Generic[ConfigT]):
    """A running protocol. One instance per process; all calls come in the loop.

    An exception out of `deliver`, `refuse` or `forwarded` is logged, counted and ends
    nothing but the call.
    """

    def __init__(self, config: ConfigT, host: Host) -> None:
        self.config = config
        self.host = host

    async def start(self) -> None:
        """Begin to listen."""

    def deliver(self, peers: Sequence[Peer], content: Content) -> None:
        """Put a reply on the wire of each peer (many when sent to a group)."""
        raise NotImplementedError

    def refuse(
        self, peer: Peer | None, channel: str, content: Content, why: Refusal
    ) -> None:
        """Tell the peer that its event did not get through: 503, 1013, nothing."""

    def hold(self, peer: Peer, reading: bool) -> None:
        """Stop (False) or resume (True) reading from the peer."""

    def forwarded(self, peer: Peer, content: Content) -> None:
        """Take what another process handed over with `Host.forward`."""

    def disconnect(self, peer: Peer, reason: str) -> None:
        """End a peer's connection because the host says so: `slow`, `limit`.

        Must lead to `close_peer`.
        """

    async def stop(self, grace: float) -> None:
        """Stop listening, end what is going on within `grace` seconds, then return."""


class Deadline:
    """Calls when a mapping's next deadline has passed, re-armed as seldom as possible."""

    __slots__ = ("_armed", "_call", "_clock", "_next", "_timer")

    def __init__(
        self,
        clock: Clock,
        next_deadline: Callable[[], float | None],
        call: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._next = next_deadline
        self._call = call
        self._armed = float("inf")
        self._timer: Timer | None = None

    def update(self) -> None:
        """Look at the mapping's deadline again, after anything was told to it."""
        when = self._next()
        # A later deadline needs nothing: the timer that is armed looks again.
        if when is not None and when < self._armed:
            self.cancel()
            self._armed = when
            self._timer = self._clock.call_at(when, self._passed)

    def cancel(self) -> None:
        """Never call again, unless `update` follows."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._armed = float("inf")

    def _passed(self) -> None:
        self._timer = None
        self._armed = float("inf")
        when = self._next()
        if when is not None and when <= self._clock.now():
            self._call()
        self.update()


class StreamMapping(Generic[ConfigT]):
    """The translation of one connection of a protocol of ordered bytes. Pure."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def opened(self, now: float) -> Sequence[Step]:
        """The connection is there."""
        return ()

    def received(self, data: bytes, now: float) -> Sequence[Step]:
        """Bytes arrived, cut anywhere.

        Raises:
            RemoteProtocolError: they break the protocol; the connection is closed.
        """
        raise NotImplementedError

    def reply(self, content: Content, now: float) -> Sequence[Step]:
        """A consumer sent content to the reply channel.

        Raises:
            LocalProtocolError: the protocol cannot carry it; logged and counted.
        """
        raise NotImplementedError

    def refused(self, channel: str, why: Refusal, now: float) -> Sequence[Step]:
        """An event did not get through."""
        return (Hangup(why),)

    def closed(self, now: float) -> Sequence[Step]:
        """The connection has ended; only `Emit` makes sense now."""
        return ()

    def next_deadline(self) -> float | None:
        """Return when `deadline_passed` wants to be called, None for never."""
        return None

    def deadline_passed(self, now: float) -> Sequence[Step]:
        """The deadline has passed."""
        return ()


class _Connection(Generic[ConfigT]):
    """One stream and its mapping."""

    __slots__ = ("_deadline", "_mapping", "_protocol", "peer", "stream")

    def __init__(
        self,
        protocol: StreamProtocol[ConfigT],
        mapping: StreamMapping[ConfigT],
        stream: Stream,
    ) -> None:
        self._protocol = protocol
        self._mapping = mapping
        self.stream = stream
        self.peer = protocol.host.open_peer(self, client=stream.client)
        self._deadline = Deadline(
            protocol.host.clock, mapping.next_deadline, self._deadline_passed
        )

    def begin(self) -> None:
        self.run(lambda: self._mapping.opened(self._now()))

    def received(self, data: bytes) -> None:
        self.run(lambda: self._mapping.received(data, self._now()))

    def writable(self, ready: bool) -> None:
        if (
            not ready
            and self.stream.unsent_bytes > self._protocol.host.limits.unsent_bytes
        ):
            self.slow()

    def closed(self, reason: str) -> None:
        self._deadline.cancel()
        if self.peer.open:
            self.run(lambda: self._mapping.closed(self._now()), ending=True)
            self._protocol.forget(self)

    def reply(self, content: Content) -> None:
        self.run(lambda: self._mapping.reply(content, self._now()))
        if self.stream.unsent_bytes > self._protocol.host.limits.unsent_bytes:
            self.slow()

    def refused(self, channel: str, why: Refusal) -> None:
        self.run(lambda: self._mapping.refused(channel, why, self._now()))

    def slow(self) -> None:
        self._protocol.host.drop(Drop.SLOW, self.peer)
        self.stream.abort()

    def run(self, decide: Callable[[], Sequence[Step]], ending: bool = False) -> None:
        """Ask the mapping and perform its steps."""
        try:
            steps = decide()
        except RemoteProtocolError as error:
            self._protocol.host.log.info("%s: %s", self.peer.client, error)
            steps = () if ending else (Hangup(error.reason),)
        for step in steps:
            match step:
                case Emit(channel=channel, content=content):
                    self._protocol.host.emit(self.peer, channel, content)
                case Write(data=data) if not ending:
                    self.stream.write(data)
                case Hangup() if not ending:
                    self.stream.close()
        if not ending:
            self._deadline.update()

    def _deadline_passed(self) -> None:
        self.run(lambda: self._mapping.deadline_passed(self._now()))

    def _now(self) -> float:
        return self._protocol.host.clock.now()


class StreamProtocol(BaseProtocol[ConfigT]):
    """Runs a `StreamMapping` for each connection.

    Set `mapping`. The config needs `bind`, a list of endpoint strings; override
    `endpoints` when it has none.
    """

    mapping: ClassVar[type[StreamMapping[Any]]]

    def __init__(self, config: ConfigT, host: Host) -> None:
        super().__init__(config, host)
        self.listeners: list[Listener] = []
        self._connections: set[_Connection[ConfigT]] = set()

    def endpoints(self) -> Sequence[str]:
        """Return where to listen."""
        bind: Sequence[str] = getattr(self.config, "bind", ())
        return bind

    async def start(self) -> None:
        """Listen on all endpoints."""
        for endpoint in self.endpoints():
            self.listeners.append(await self.host.listen_stream(endpoint, self.accept))

    def accept(self, stream: Stream) -> _Connection[ConfigT]:
        """Begin a connection; also for streams that come from a mount's upgrade."""
        mapping: StreamMapping[ConfigT] = self.mapping(self.config)
        connection = _Connection(self, mapping, stream)
        self._connections.add(connection)
        connection.begin()
        return connection

    def deliver(self, peers: Sequence[Peer], content: Content) -> None:
        """Let each peer's mapping write the reply."""
        for peer in peers:
            try:
                peer.handle.reply(content)
            except Exception as error:  # one peer must not cost the others theirs
                self.host.drop(Drop.UNSUPPORTED, peer, str(error))

    def refuse(
        self, peer: Peer | None, channel: str, content: Content, why: Refusal
    ) -> None:
        """Let the peer's mapping answer."""
        if peer is not None:
            peer.handle.refused(channel, why)

    def hold(self, peer: Peer, reading: bool) -> None:
        """Stop or resume reading."""
        peer.handle.stream.hold(reading)

    def disconnect(self, peer: Peer, reason: str) -> None:
        """Cut the connection."""
        peer.handle.stream.abort()

    def forget(self, connection: _Connection[ConfigT]) -> None:
        """Drop a connection that has ended."""
        self._connections.discard(connection)
        self.host.close_peer(connection.peer)

    async def stop(self, grace: float) -> None:
        """Stop listening and close all connections."""
        for listener in self.listeners:
            await listener.close()
        for connection in list(self._connections):
            connection.stream.close()


class DatagramMapping(Generic[ConfigT]):
    """The translation of a protocol of single datagrams. Pure, and without state."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def received(self, data: bytes, now: float) -> Sequence[Step]:
        """A datagram arrived, possibly an empty one.

        Raises:
            RemoteProtocolError: it breaks the protocol; it is dropped and counted.
        """
        raise NotImplementedError

    def reply(self, content: Content, now: float) -> Sequence[Step]:
        """A consumer sent content to the reply channel.

        Raises:
            LocalProtocolError: the protocol cannot carry it; logged and counted.
        """
        raise NotImplementedError


class _Sender(Struct):
    """One address that sends to one port."""

    port: DatagramPort
    address: tuple[str, int]
    seen: float


class DatagramProtocol(BaseProtocol[ConfigT]):
    """Runs a `DatagramMapping` on ports; remembers senders for a bounded time.

    Set `mapping`. The config needs `bind`, a list such as `["udp:9999"]`.
    """

    mapping: ClassVar[type[DatagramMapping[Any]]]
    idle: ClassVar[float] = 60.0
    """Seconds without a datagram or a reply after which a sender is forgotten."""
    max_senders: ClassVar[int] = 50_000

    def __init__(self, config: ConfigT, host: Host) -> None:
        super().__init__(config, host)
        self.ports: list[DatagramPort] = []
        self._mapping: DatagramMapping[ConfigT] = self.mapping(config)
        # In order of last use, so that the idle ones stand at the front.
        self._peers: dict[Hashable, Peer] = {}
        self._sweep: Timer | None = None

    async def start(self) -> None:
        """Listen on all ports."""
        bind: Sequence[str] = getattr(self.config, "bind", ())
        for address in bind:
            self.ports.append(await self.host.listen_datagram(address, self))
        self._forget_idle()

    def received(
        self, port: DatagramPort, data: bytes, address: tuple[str, int]
    ) -> None:
        """Let the mapping read a datagram."""
        try:
            steps = self._mapping.received(data, self.host.clock.now())
        except RemoteProtocolError as error:
            self.host.drop(Drop.INVALID, None, str(error))
            return
        self._perform(self._peer(port, address), steps)

    def deliver(self, peers: Sequence[Peer], content: Content) -> None:
        """Send a datagram to each peer."""
        now = self.host.clock.now()
        try:
            steps = self._mapping.reply(content, now)
        except Exception as error:  # what a consumer sent is input like any other
            self.host.drop(Drop.UNSUPPORTED, peers[0] if peers else None, str(error))
            return
        for peer in peers:
            peer.handle.seen = now
            self._perform(peer, steps)

    async def stop(self, grace: float) -> None:
        """Give the ports back."""
        if self._sweep is not None:
            self._sweep.cancel()
        for port in self.ports:
            await port.close()

    def _perform(self, peer: Peer, steps: Sequence[Step]) -> None:
        sender: _Sender = peer.handle
        for step in steps:
            match step:
                case Emit(channel=channel, content=content):
                    self.host.emit(peer, channel, content)
                case Write(data=data):
                    sender.port.send(data, sender.address)
                case Hangup():
                    self._forget((sender.port.address, sender.address))

    def _peer(self, port: DatagramPort, address: tuple[str, int]) -> Peer:
        key = (port.address, address)
        peer = self._peers.pop(key, None)
        now = self.host.clock.now()
        if peer is None:
            if len(self._peers) >= self.max_senders:
                self._forget(next(iter(self._peers)))
            client = f"[{address[0]}]" if ":" in address[0] else address[0]
            peer = self.host.open_peer(
                _Sender(port, address, now), client=f"{client}:{address[1]}"
            )
        peer.handle.seen = now
        self._peers[key] = peer
        return peer

    def _forget(self, key: Hashable) -> None:
        if (peer := self._peers.pop(key, None)) is not None:
            self.host.close_peer(peer)

    def _forget_idle(self) -> None:
        now = self.host.clock.now()
        for key, peer in list(self._peers.items()):
            if peer.handle.seen + self.idle > now:
                break
            self._forget(key)
        self._sweep = self.host.clock.call_at(now + 1.0, self._forget_idle)


class WebhookProtocol(BaseProtocol[ConfigT]):
    """A protocol whose events arrive as HTTP requests of a provider.

    Declare a `Mount` whose `open` is `WebhookProtocol.open`, and override `webhook`.
    """

    max_body: ClassVar[int] = 256 * 1024
    """Bytes of a request's body."""

    def open(self, exchange: Exchange) -> None:
        """Take a request; the mount's `open`."""
        self.host.spawn(self._answer(exchange))

    async def webhook(self, exchange: Exchange, body: bytes) -> None:
        """Check the request, emit what it says, and answer with `exchange.respond`.

        Raises:
            RemoteProtocolError: the request is wrong; answered with its status.
        """
        raise NotImplementedError

    async def _answer(self, exchange: Exchange) -> None:
        try:
            body = await exchange.body(self.max_body)
            await self.webhook(exchange, body)
        except RemoteProtocolError as error:
            self.host.log.info("%s: %s", exchange.head.client, error)
            if error.status:
                exchange.respond(error.status, body=error.reason.encode())
