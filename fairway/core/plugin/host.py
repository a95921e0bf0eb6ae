"""The host: all that a protocol gets of the world around it.

These are the contracts; `fairway.interfaces` implements them over Twisted, and
`fairway.testing` without sockets.
"""

from __future__ import annotations

import logging
import secrets
import typing
from collections.abc import Callable, Coroutine, Mapping, Sequence
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar

from msgspec import Struct, field

from fairway.core.content import Content
from fairway.core.plugin.web import MountPoint, RequestHead
from fairway.core.plugin.wire import (
    Clock,
    DatagramHandler,
    DatagramPort,
    Listener,
    Stream,
    StreamHandler,
)
from fairway.core.settings import Limits, Secret

__all__ = ["Host", "Peer", "Refusal", "Site"]

P = ParamSpec("P")
T = TypeVar("T")


class Refusal(StrEnum):
    """Why an event did not get through; `BaseProtocol.refuse` answers the peer."""

    FULL = "full"
    """Its channel stayed full for as long as the event may wait: come back later."""
    UNAVAILABLE = "unavailable"
    """The channel layer stayed away for as long as the event may wait."""
    TOO_LARGE = "too_large"
    """It is above `MAX_CONTENT`."""
    FAILED = "failed"
    """A filter or the mapping raised."""
    FILTERED = "filtered"
    """A filter dropped it."""
    LIMIT = "limit"
    """A limit of `LIMITS` stands before it."""


class Site(Struct, frozen=True, kw_only=True):
    """What a protocol may know of the Django site behind it."""

    allowed_hosts: tuple[str, ...] = ()
    """Host patterns as in Django's `ALLOWED_HOSTS`."""
    debug: bool = False
    """Whether this is development."""
    key: Secret = field(default_factory=lambda: Secret(secrets.token_hex()))
    """What all interface servers of the site sign with; made of its `SECRET_KEY`."""


class Peer(typing.Protocol):
    """One client of one protocol, as its host keeps it.

    Protocols read it and hand it back; only the host changes it.
    """

    handle: Any
    """What the protocol gave to `open_peer`; its way back from a peer."""
    id: str
    """Its stable identity: `<protocol>:<key>`."""
    reply_channel: str
    """Its address while its mailbox lives."""
    client: str
    """Display address."""
    open: bool
    """False once `close_peer` was called."""

    @property
    def kept(self) -> bool:
        """Whether a consumer keeps state for it or made it a member of a group."""

    def log_fields(self) -> Mapping[str, str]:
        """Return what a log line about it carries: `log.error(..., extra=this)`."""


class Host(typing.Protocol):
    """Carries one protocol. All methods belong to the loop's thread."""

    log: logging.LoggerAdapter[logging.Logger]
    """Names the protocol in every line."""
    limits: Limits
    """`LIMITS` with the overrides of this protocol's section."""
    site: Site
    grace: float
    """Seconds that `stop` may take."""

    @property
    def clock(self) -> Clock:
        """Time, and calls that are due."""

    def open_peer(
        self,
        handle: object,
        *,
        client: str,
        key: str | None = None,
        path: str | None = None,
        head: RequestHead | None = None,
        handshake: bool = True,
    ) -> Peer:
        """Begin a peer; its first event follows by `emit`.

        Args:
            handle: anything by which the protocol finds its way back to the wire.
            client: display address, such as `192.0.2.1:5123`.
            key: identity of a peer that returns, such as a phone number; None makes up
                one that lives as long as the connection. While a peer of that key is
                open, the same peer is returned. Shared peers have one always, cost
                nothing to open, and need not be kept or closed: what is sent to them
                comes to the one server that carries the protocol, in a new `Peer`
                without a handle.
            path: goes with every event of the peer.
            head: of a peer that began with an HTTP request: its path goes with every
                event, its query string, headers, scheme and server with the first.
            handshake: whether it counts against `handshakes_per_second`; False for one
                of many on a connection that was counted already.

        Raises:
            PeerRefused: a limit stands before it, counted by the host. Answer on the
                wire (HTTP 503 for `peers`, else 429; hang up; ignore the datagram). An
                exception that leaves `accept` of `listen_stream` hangs up by itself.
        """

    def close_peer(self, peer: Peer) -> None:
        """End a peer: it leaves all groups; what is sent to it later is dropped.

        Emit the event that says so before. Events that still wait are delivered.
        """

    def emit(self, peer: Peer | None, channel: str, content: Content) -> None:
        """Put an event on its channel, with the envelope added.

        Never blocks and never raises when the bus cannot take it: the host keeps the
        event, calls `hold(peer, False)`, tries again, and calls `refuse` when the
        event's patience is over. Events of one peer leave in order.
        """

    async def emitted(
        self, peer: Peer | None, channel: str, content: Content
    ) -> Refusal | None:
        """Put an event on its channel like `emit`, and wait until that is settled.

        For protocols that owe somebody an answer, and where events have no order.
        Returns None once the bus has it, else why not; `refuse` is not called then.
        """

    def hold_replies(self, reading: bool) -> None:
        """Take no more replies to shared peers (False), or go on (True).

        Those that wait stay on the bus, bounded as every mailbox is.
        """

    def put_back(self, peer: Peer, content: Content) -> None:
        """Leave a reply to a shared peer for the server that carries the protocol next.

        For what `deliver` got and `stop` must leave undone: the server stops carrying
        when `stop` has ended. It goes behind what came meanwhile, and expires as if it
        was sent now. What the bus does not take is counted.
        """

    def send(self, channel: str, content: Content) -> None:
        """Put content on a channel with a single reader (`?`), without an envelope.

        For consumers that pull a body or wait for credit. Never blocks; what the
        channel does not take is dropped and counted.
        """

    async def listen_stream(
        self, endpoint: str, accept: Callable[[Stream], StreamHandler]
    ) -> Listener:
        """Accept connections.

        Args:
            endpoint: a Twisted endpoint string: `tcp:8000:interface=127.0.0.1`,
                `unix:/run/site.sock`, `ssl:443:privateKey=...:certKey=...`.
            accept: called with each new stream, returns who is told what happens.

        Raises:
            ConfigurationError: the endpoint cannot be read or is taken.
        """

    async def listen_datagram(
        self,
        address: str,
        handler: DatagramHandler,
        *,
        reuse_port: bool = False,
        largest: int = 65_507,
    ) -> DatagramPort:
        """Receive datagrams.

        What comes from a datagram port of this process, and what is sent to one, is
        dropped and counted: two of them would answer each other for ever.

        Args:
            address: `udp:9999`, `udp:127.0.0.1:9999`, `udp:[::1]:9999`, or
                `udp:9999:group=239.1.2.3,interface=192.0.2.1` to join a multicast
                group.
            reuse_port: whether other processes of the user may listen there, too.
            largest: bytes; a longer datagram is dropped and counted, never cut.

        Raises:
            ConfigurationError: the address cannot be read or is taken.
        """

    def mounts(self, on: str) -> Sequence[MountPoint]:
        """Return what enabled plugins mount on a protocol, longest prefix first."""

    def forward(self, reply_channel: str, content: Content) -> None:
        """Hand content to `forwarded` of the protocol in the peer's own process."""

    async def claim(self, key: str, ttl: float, owner: str = "") -> bool:
        """Return True to exactly one caller among all processes for `ttl` seconds.

        Args:
            owner: who claims; the same owner may claim again, for a new time, or give
                up what it has with a `ttl` of 0.

        Raises:
            LayerUnavailable: the channel layer cannot be reached.
        """

    async def blocking(
        self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a call that may block (files, Django) in a thread; return its result."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside; an exception is told, the host's end cancels it."""

    def failed(
        self,
        method: str,
        error: Exception,
        client: str = "",
        *,
        peer: Peer | None = None,
        plugin: str = "",
    ) -> None:
        """Log an exception, and tell the hook `fairway_plugin_failed`.

        For what the protocol catches itself, so that others do not suffer; what leaves
        a method that the host calls is told without it. Call it while the exception is
        handled.

        Args:
            method: whose exception it is, such as `received` or `deadline`.
            client: display address of whom it concerns.
            plugin: whose code raised, when it is another one's, as behind a mount.
        """

    def drop(self, reason: str, peer: Peer | None = None, detail: str = "") -> None:
        """Count and log something that is dropped; a code of `Drop`, or an own one."""
