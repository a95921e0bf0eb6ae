"""The way of one protocol's replies: what the mailbox has for its peers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from fairway.core.bus import record
from fairway.core.bus.layer import REPLY_LOST
from fairway.core.content import Content
from fairway.core.drops import Drop, Drops
from fairway.core.plugin.hookspecs import Filter
from fairway.core.plugin.host import Peer
from fairway.core.plugin.protocol import BaseProtocol
from fairway.core.plugin.spec import ProtocolSpec
from fairway.interfaces.events import Events
from fairway.interfaces.peers import LocalPeer

__all__ = ["Replies"]

log = logging.getLogger("fairway.interfaces")


class Replies:
    """Owns the peers of one protocol; see `PeerOwner`.

    Args:
        events: is told what became of those that were sent.
        filters: run once per record.
        close: ends a peer.

    Attributes:
        count: how many replies there were.
    """

    def __init__(
        self,
        spec: ProtocolSpec,
        events: Events,
        drops: Drops,
        filters: tuple[Filter, ...],
        *,
        close: Callable[[Peer], None],
    ) -> None:
        self.protocol: BaseProtocol[Any] | None = None
        self.count = 0
        self._name = spec.name
        self._known = frozenset(spec.replies)
        self._events = events
        self._drops = drops
        self._filters = filters
        self.close_peer = close

    def deliver(self, peers: Sequence[LocalPeer], content: Content) -> None:
        """Run the filters of replies and hand content to the protocol."""
        if self.protocol is None:
            return
        self.count += len(peers)
        try:
            filtered = content
            if self._filters:
                passed = self._filtered(peers, content)
                if passed is None:
                    self._count(peers, Drop.FILTERED)
                    return
                filtered = passed
            if not self._known.issuperset(filtered):
                unknown = sorted(filtered.keys() - self._known)
                self._count(peers, Drop.UNSUPPORTED, ", ".join(unknown))
            self.protocol.deliver(peers, filtered)
        except Exception:
            self._failed("deliver", peers)

    def done(self, peer: LocalPeer, done: record.Done) -> None:
        """Events of a peer were consumed."""
        self._events.done(peer, done)

    def busy(self, peer: LocalPeer, order: int) -> None:
        """Events of a peer are being consumed."""
        self._events.busy(peer, order)

    def lost(self, peer: LocalPeer, order: int) -> None:
        """Events of a peer, or with `REPLY_LOST` a reply to it, were lost."""
        if order != REPLY_LOST:
            self._events.lost(peer, order)
        elif self.protocol is not None and peer.open:
            self.protocol.disconnect(peer, "overflow")

    def swallowed(self, peer: LocalPeer, order: int, why: Drop) -> None:
        """The bus took an event of a peer, and nobody will end or answer it."""
        self._events.swallowed(peer, order, why)

    def forwarded(self, peer: LocalPeer, content: Content) -> None:
        """Another process handed something over."""
        if self.protocol is None:
            return
        try:
            self.protocol.forwarded(peer, content)
        except Exception:
            self._failed("take a forward", (peer,))

    def _filtered(self, peers: Sequence[LocalPeer], content: Content) -> Content | None:
        filtered: Content | None = content
        for filter_ in self._filters:
            if filtered is None:
                break
            one = peers[0] if len(peers) == 1 else None
            filtered = filter_(self._name, filtered, one)
        return filtered

    def _failed(self, what: str, peers: Sequence[LocalPeer]) -> None:
        """Log and count that the protocol or a filter raised."""
        fields = peers[0].log_fields() if len(peers) == 1 else None
        log.exception("protocol %s failed to %s", self._name, what, extra=fields)
        self._count(peers, Drop.FAILED)

    def _count(
        self, peers: Sequence[LocalPeer], reason: Drop, detail: str = ""
    ) -> None:
        one = peers[0] if len(peers) == 1 else None
        self._drops.add(self._name, reason, len(peers), detail, peer=one)
