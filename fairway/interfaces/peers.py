"""Peers as this process keeps them, and the table that finds them."""

from __future__ import annotations

import secrets
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum

from msgspec import Struct

from fairway.core.content import Content, Encoded
from fairway.core.drops import Drop
from fairway.core.plugin.host import Peer
from fairway.core.plugin.web import RequestHead
from fairway.interfaces.order import PeerOrder

__all__ = ["HoldReason", "LocalPeer", "PeerOwner", "PeerTable"]


_LOCALS = 64
"""Local parts that are made at once."""


class HoldReason(IntEnum):
    """Why a peer is not read: bits, and it is read again when none is left."""

    WAITING = 1
    """Too many of its events wait for a worker."""
    BUS = 2
    """The bus did not take its last event yet."""
    RATE = 4
    """It sends more than `messages_per_second`."""


class PeerOwner(typing.Protocol):
    """Who serves a peer: the host of its protocol, as the mailbox sees it."""

    def deliver(self, peers: Sequence[LocalPeer], content: Content) -> None:
        """Put a reply on the wire of each peer."""

    def done(self, peer: LocalPeer, order: int, state: Encoded | None) -> None:
        """Events of the peer were consumed."""

    def busy(self, peer: LocalPeer, order: int) -> None:
        """Events of the peer are being consumed."""

    def lost(self, peer: LocalPeer, order: int) -> None:
        """Events of the peer, or with `REPLY_LOST` a reply to it, were lost."""

    def swallowed(self, peer: LocalPeer, order: int, why: Drop) -> None:
        """The bus took an event of the peer, and nobody will end or answer it."""

    def forwarded(self, peer: LocalPeer, content: Content) -> None:
        """Another process handed something over."""

    def close_peer(self, peer: Peer) -> None:
        """End the peer."""


class LocalPeer(Struct, eq=False):
    """One client of one protocol; see `fairway.core.plugin.host.Peer`."""

    owner: PeerOwner
    handle: typing.Any
    id: str
    client: str
    reply_channel: str = ""
    local: str = ""
    open: bool = True
    address: str = ""
    """What limits by address count it under."""
    groups: set[str] | None = None
    order: PeerOrder | None = None
    """Where events are ordered by peer."""
    state: Encoded = b""
    """What consumers keep for it, where events are not ordered."""
    path: str | None = None
    head: RequestHead | None = None
    """What it began with, until its first event left."""
    request_id: str = ""
    """What a trusted proxy calls the request that it began with."""
    fresh: bool = True
    """Whether its first event did not leave yet."""
    envelope: Encoded = b""
    """The envelope of its events after the first, once there was a second."""
    held: int = 0
    """The bits of `HoldReason`."""
    sent: int | None = None
    """The order of its last event that the bus took and that no worker is known to
    have, 0 where there is no order."""
    used_until: float = 0.0
    """Until when its rate of messages is used up."""
    behind: list[typing.Any] | None = None
    """Its events that follow one which the bus did not take yet."""

    @property
    def kept(self) -> bool:
        """Whether a consumer keeps state for it or made it a member of a group."""
        return bool(self.groups or self.state or (self.order and self.order.state))

    @property
    def has_waiting_events(self) -> bool:
        """Whether the bus did not take all of its events yet."""
        waiting = self.order is not None and self.order.waiting > 0
        return waiting or self.behind is not None

    def log_fields(self) -> Mapping[str, str]:
        """Return what a log line about it carries, as those of consumers do."""
        protocol, _, key = self.id.partition(":")
        found = {"protocol": protocol, "peer": self.id, "client": self.client}
        if self.request_id:
            found["request_id"] = self.request_id
        elif protocol == "http":  # each request is a peer of its own
            found["request_id"] = key
        if self.path is not None:
            found["path"] = self.path
        return found

    def __repr__(self) -> str:
        return f"<peer {self.id} at {self.client}>"


class PeerTable:
    """All peers of one mailbox."""

    def __init__(self) -> None:
        self._by_local: dict[str, LocalPeer] = {}
        self.get: Callable[[str], LocalPeer | None] = self._by_local.get
        """Returns the peer of a local part."""
        self._by_id: dict[str, LocalPeer] = {}
        self._unused: list[str] = []

    def __len__(self) -> int:
        return len(self._by_local)

    def __iter__(self) -> Iterator[LocalPeer]:
        return iter(list(self._by_local.values()))

    def new_local(self) -> str:
        """Return a local part that nobody here has and no stranger guesses."""
        if not self._unused:
            # Many at once: each call asks the system, and a request is a peer.
            digits = secrets.token_hex(8 * _LOCALS)
            self._unused = [digits[at : at + 16] for at in range(0, len(digits), 16)]
        return self._unused.pop()

    def add(self, peer: LocalPeer, *, returns: bool) -> None:
        """Remember a peer.

        Args:
            returns: whether `find` shall know it by its identity.
        """
        self._by_local[peer.local] = peer
        if returns:
            self._by_id[peer.id] = peer

    def find(self, identity: str) -> LocalPeer | None:
        """Return the open peer of an identity that returns."""
        return self._by_id.get(identity)

    def close(self, peer: LocalPeer) -> None:
        """Let another peer take its identity."""
        if self._by_id.get(peer.id) is peer:
            del self._by_id[peer.id]

    def forget(self, peer: LocalPeer) -> None:
        """Drop a peer whose last event has left."""
        self._by_local.pop(peer.local, None)
        if self._by_id:
            self.close(peer)
