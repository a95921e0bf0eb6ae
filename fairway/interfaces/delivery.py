"""What comes from the bus to this server's mailbox, and who gets it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping

from fairway.core.bus import record
from fairway.core.bus.layer import Delivery
from fairway.core.bus.operations import GroupDiscard
from fairway.core.bus.record import Kind
from fairway.core.content import decode_content
from fairway.core.drops import Drop
from fairway.core.names import local_of, mailbox_of
from fairway.interfaces.backplane import Backplane
from fairway.interfaces.peers import LocalPeer

__all__ = ["MailboxDelivery"]

log = logging.getLogger("fairway.interfaces")


class MailboxDelivery:
    """Owns the mailbox: hands each record to the protocol that it is for, once.

    Args:
        heard: called with the token of each canary.
        emptied: called when the layer has lost all that it held.
    """

    def __init__(
        self,
        backplane: Backplane,
        heard: Callable[[int], None],
        emptied: Callable[[], None],
    ) -> None:
        self._backplane = backplane
        self._peers = backplane.peers
        self._groups = backplane.groups
        self._heard = heard
        self._emptied = emptied

    def deliver(self, deliveries: list[Delivery]) -> None:
        """Take a batch in order."""
        for delivery in deliveries:
            body = delivery.body
            try:
                # Nearly all are one of two: a class that `match` tries is a call.
                if type(body) is record.Answer:
                    self._answer(delivery, body)
                elif type(body) is record.Message:
                    self._message(delivery, body)
                else:
                    self._deliver(delivery)
            except Exception:
                log.exception("a %s record could not be delivered", delivery.kind.name)
                self._backplane.drops.add(delivery.channel, Drop.INVALID)

    def emptied(self) -> None:
        """The layer has lost all that it held."""
        self._emptied()

    def memberships(self) -> Mapping[str, Collection[str]]:
        """Return the local parts in each group."""
        return self._groups.memberships()

    def _deliver(self, delivery: Delivery) -> None:
        match delivery.body:
            case record.Done(local=local, order=order, state=state):
                # Also for a closed peer, whose last events may still wait.
                if peer := self._peers.get(local):
                    peer.owner.done(peer, order, state)
            case record.GroupMessage() as message:
                self._fan_out(message)
            case record.Busy(local=local, order=order):
                if peer := self._peers.get(local):
                    peer.owner.busy(peer, order)
            case record.Lost(local=local, order=order):
                if peer := self._peers.get(local):
                    peer.owner.lost(peer, order)
            case record.Membership(group=group, local=local):
                self._membership(delivery, group, local)
            case record.Forward(local=local, content=content):
                peer = self._peers.get(local)
                if peer is not None and peer.open:
                    peer.owner.forwarded(peer, decode_content(content))
                else:
                    self._gone(delivery, peer)
            case record.Canary(token=token):
                self._heard(token)
            case record.Event():
                # Nobody can owe a mailbox the end of events.
                self._backplane.drops.add(delivery.channel, Drop.INVALID)

    def _message(self, delivery: Delivery, message: record.Message) -> None:
        peer = self._peers.get(message.local)
        if peer is not None and peer.open:
            peer.owner.deliver((peer,), decode_content(message.content))
        else:
            self._gone(delivery, peer)

    def _answer(self, delivery: Delivery, answer: record.Answer) -> None:
        peer = self._peers.get(answer.local)
        if peer is None:
            self._gone(delivery, peer)
            return
        try:
            if peer.open:
                peer.owner.deliver((peer,), decode_content(answer.content))
            else:
                self._gone(delivery, peer)
        finally:
            # Also for a closed peer, whose last events may still wait.
            peer.owner.done(peer, answer.order, answer.state)

    def _gone(self, delivery: Delivery, peer: LocalPeer | None) -> None:
        self._backplane.drops.add(delivery.channel, Drop.GONE, peer=peer)

    def _fan_out(self, message: record.GroupMessage) -> None:
        content = decode_content(message.content)
        members = self._groups.members(message.group)
        excluded = self._excluded(message.exclude)
        # A list of the hosts: a delivery may end connections, hence memberships.
        for owner, peers in list(members.items()):
            chosen = [peer for peer in peers if peer not in excluded]
            if chosen:
                owner.deliver(chosen, dict(content))

    def _excluded(self, channels: Iterable[str]) -> set[LocalPeer]:
        mine = self._backplane.mailbox
        found = (
            self._peers.get(local_of(name))
            for name in channels
            if mailbox_of(name) == mine
        )
        return {peer for peer in found if peer is not None}

    def _membership(self, delivery: Delivery, group: str, local: str) -> None:
        peer = self._peers.get(local)
        if delivery.kind is Kind.DISCARD:
            if peer is not None:
                self._groups.discard(group, peer)
        elif peer is not None and peer.open:
            self._groups.add(group, peer)
        else:
            channel = f"{self._backplane.mailbox}!{local}"
            self._backplane.port.post(GroupDiscard(group, channel))
