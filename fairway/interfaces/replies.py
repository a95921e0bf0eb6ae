"""The way of one protocol's replies: what the mailbox has for its peers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fairway.core.bus.operations import REPLY_LOST
from fairway.core.content import Content
from fairway.core.drops import Drop, Drops
from fairway.core.plugin.host import Peer
from fairway.core.plugin.loading import DeclaredFilter, PluginFailed
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
        failed: is told what the protocol and filters raise.
        plugin: declares the protocol.

    Attributes:
        count: how many replies there were.
    """

    def __init__(
        self,
        spec: ProtocolSpec,
        events: Events,
        drops: Drops,
        filters: tuple[DeclaredFilter, ...],
        *,
        close: Callable[[Peer], None],
        failed: PluginFailed,
        plugin: str,
    ) -> None:
        self.protocol: BaseProtocol[Any] | None = None
        self.count = 0
        self._name = spec.name
        self._known = frozenset(spec.replies)
        self._events = events
        self._drops = drops
        self._filters = filters
        self._report = failed
        self._plugin = plugin
        self.close_peer = close
        # The events' own, without a step between.
        self.done = events.done
        self.busy = events.busy
        self.swallowed = events.swallowed

    def deliver(self, peers: Sequence[LocalPeer], content: Content) -> None:
        """Run the filters of replies and hand content to the protocol."""
        if self.protocol is None:
            return
        self.count += len(peers)
        filtered = content
        if self._filters:
            passed = self._filtered(peers, content)
            if isinstance(passed, Drop):
                self._count(peers, passed)
                return
            filtered = passed
        try:
            if not self._known.issuperset(filtered):
                unknown = sorted(filtered.keys() - self._known)
                self._count(peers, Drop.UNSUPPORTED, ", ".join(unknown))
            self.protocol.deliver(peers, filtered)
        except Exception as error:
            self._failed("deliver", peers, error)

    def lost(self, peer: LocalPeer, order: int) -> None:
        """Events of a peer, or with `REPLY_LOST` a reply to it, were lost."""
        if order != REPLY_LOST:
            self._events.lost(peer, order)
        elif self.protocol is not None and peer.open:
            self.protocol.disconnect(peer, "overflow")

    def forwarded(self, peer: LocalPeer, content: Content) -> None:
        """Another process handed something over."""
        if self.protocol is None:
            return
        try:
            self.protocol.forwarded(peer, content)
        except Exception as error:
            self._failed("forwarded", (peer,), error)

    def _filtered(self, peers: Sequence[LocalPeer], content: Content) -> Content | Drop:
        """Run the filters; say why when one drops the reply or fails."""
        filtered = content
        one = peers[0] if len(peers) == 1 else None
        for plugin, filter_ in self._filters:
            try:
                answer = filter_(self._name, filtered, one)
            except Exception as error:
                log.exception(
                    "a filter of replies failed on %s", self._name, extra=_about(peers)
                )
                self._report(plugin, "fairway_reply_filters", error)
                return Drop.FAILED
            if answer is None:
                return Drop.FILTERED
            filtered = answer
        return filtered

    def _failed(
        self, method: str, peers: Sequence[LocalPeer], error: Exception
    ) -> None:
        """Log, tell and count that the protocol raised; while that is handled."""
        log.exception(
            "protocol %s failed in %s()", self._name, method, extra=_about(peers)
        )
        self._report(self._plugin, method, error)
        self._count(peers, Drop.FAILED)

    def _count(
        self, peers: Sequence[LocalPeer], reason: Drop, detail: str = ""
    ) -> None:
        one = peers[0] if len(peers) == 1 else None
        self._drops.add(self._name, reason, len(peers), detail, peer=one)


def _about(peers: Sequence[LocalPeer]) -> Mapping[str, str] | None:
    return peers[0].log_fields() if len(peers) == 1 else None
