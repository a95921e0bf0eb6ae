"""The way of one protocol's events to the bus: filters, limits, envelope, order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, cast

from fairway.core.bus.operations import Outcome, Send
from fairway.core.content import Content, Encoded, encode_content
from fairway.core.drops import Drop
from fairway.core.exceptions import MessageTooLarge, nearest
from fairway.core.plugin.host import Refusal
from fairway.core.plugin.loading import DeclaredFilter, PluginFailed
from fairway.core.plugin.protocol import BaseProtocol
from fairway.core.plugin.spec import Event, ProtocolSpec
from fairway.core.settings import Limits
from fairway.interfaces.backplane import Backplane
from fairway.interfaces.envelope import envelope_of, in_envelope
from fairway.interfaces.limits import BURST, spend
from fairway.interfaces.order import Batch, PeerOrder
from fairway.interfaces.outbound import NOT_TAKEN, Post
from fairway.interfaces.peers import HoldReason, LocalPeer

__all__ = ["Events"]

_SWEEP_EVERY = 1.0

log = logging.getLogger("fairway.interfaces")


class Events:
    """Sends the events of one protocol and keeps the order of its peers.

    Args:
        forget: called with a closed peer once its last event has ended.
        failed: is told what the protocol and filters raise.
        plugin: declares the protocol.
    """

    def __init__(
        self,
        spec: ProtocolSpec,
        limits: Limits,
        backplane: Backplane,
        *,
        filters: tuple[DeclaredFilter, ...],
        forget: Callable[[LocalPeer], None],
        failed: PluginFailed,
        plugin: str,
    ) -> None:
        self.protocol: BaseProtocol[Any] | None = None
        self._name = spec.name
        self._ordered = spec.ordering == "peer"
        self._limits = limits
        self._spends = spend(0.0, limits.messages_per_second, 0.0)
        self._backplane = backplane
        self._max_content = backplane.policy.max_content
        self._outbound = backplane.outbound
        self._filters = filters
        self._forget = forget
        self._report = failed
        self._plugin = plugin
        self._events = {event.channel: event for event in spec.events}
        self.counts = dict.fromkeys(self._events, 0)
        """How many events there were, by channel."""
        self._expiries = {
            event.channel: backplane.policy.expiry(event.channel)
            for event in spec.events
        }
        self._shortest_expiry = min(self._expiries.values(), default=60.0)
        # What peers have on the bus and since when, in order of time: one sweep looks
        # for records that nobody ended, no event has a timer.
        self._on_bus: dict[LocalPeer, tuple[float, str]] = {}
        if self._ordered:
            self._sweep()

    def new_order(self) -> PeerOrder | None:
        """Return the order of a new peer, None where events are not ordered."""
        return PeerOrder() if self._ordered else None

    def emit(self, peer: LocalPeer | None, channel: str, content: Content) -> None:
        """Put an event on its channel; see `Host.emit`.

        Raises:
            ValueError: the protocol does not declare the channel.
            TypeError: the content may not travel.
        """
        event = self._events.get(channel) or self._declared(channel)
        self.counts[channel] += 1
        if peer is not None and not peer.open:
            self._backplane.drops.add(channel, Drop.GONE, peer=peer)
            return
        try:
            filtered = content
            if self._filters:
                passed = self._filtered(peer, channel, content)
                if isinstance(passed, Refusal):
                    self._refuse(peer, channel, content, passed)
                    return
                filtered = passed
            if peer is not None and not self._within_rate(peer):
                self._refuse(peer, channel, content, Refusal.LIMIT)
            elif peer is not None and peer.order is not None:
                self._append(peer, peer.order, channel, filtered)
            else:
                self._send(peer, event, filtered)
        except MessageTooLarge as error:
            self._refuse(peer, channel, content, Refusal.TOO_LARGE, detail=str(error))

    async def emitted(
        self, peer: LocalPeer | None, channel: str, content: Content
    ) -> Refusal | None:
        """Put an event on its channel and wait for the bus; see `Host.emitted`.

        Raises:
            ValueError: the protocol does not declare the channel, or orders its events.
            TypeError: the content may not travel.
        """
        event = self._declared(channel)
        self.counts[channel] += 1
        if self._ordered:
            raise ValueError(f"events of {self._name!r} wait for each other")
        awaited = _Awaited(self)
        try:
            filtered = self._filtered(peer, channel, content)
            if isinstance(filtered, Refusal):
                why: Refusal | None = filtered
            elif peer is not None and not self._within_rate(peer):
                why = Refusal.LIMIT
            else:
                self._send(peer, event, filtered, awaited)
                why = await awaited.come
        except MessageTooLarge:
            why = Refusal.TOO_LARGE
        if why is not None:
            self._backplane.drops.add(channel, why, peer=peer)
        return why

    def done(self, peer: LocalPeer, order: int, state: Encoded | None) -> None:
        """End the peer's record on the bus: its events were consumed."""
        line = peer.order
        if line is None:
            if state is not None:
                peer.state = bytes(state)
        elif line.ended(order):
            if state is not None:
                line.state = bytes(state)
            self._go_on(peer, line)

    def busy(self, peer: LocalPeer, order: int) -> None:
        """Keep waiting for the end of the peer's record."""
        if peer.order is None:
            peer.sent = None
        elif peer.order.is_on_bus(order):
            peer.sent = None
            self._wait_on(peer)

    def lost(self, peer: LocalPeer, number: int) -> None:
        """End the peer's record on the bus: its worker counted it as dropped."""
        order = peer.order
        if order is not None and order.ended(number):
            self._go_on(peer, order)

    def swallowed(self, peer: LocalPeer, order: int, why: Drop) -> None:
        """End what the peer waits for: the bus took it, and nobody will end it."""
        peer.sent = None
        line = peer.order
        if line is not None:
            if line.is_on_bus(order):
                _, channel = self._on_bus[peer]
                line.give_up()
                self._backplane.drops.add(channel, why, peer=peer)
                self._go_on(peer, line)
        elif peer.open and not peer.groups and self.protocol is not None:
            # A member of groups was consumed: it waits for what is sent to them.
            try:
                self.protocol.unanswered(peer, why)
            except Exception as error:
                self._failed("unanswered", peer, error)

    def hold(self, peer: LocalPeer, reason: HoldReason, held: bool) -> None:
        """Stop reading from a peer for a reason, or take the reason back."""
        if self._backplane.settling and not held and not peer.has_waiting_events:
            self._backplane.settled(peer)
        before = peer.held
        peer.held = before | reason if held else before & ~reason
        if bool(before) != bool(peer.held) and peer.open and self.protocol is not None:
            try:
                self.protocol.hold(peer, not peer.held)
            except Exception as error:
                self._failed("hold", peer, error)

    def refused(self, post: Post, why: Refusal) -> None:
        """Tell the protocol that the bus did not take events in time."""
        for content in post.contents:
            self._refuse(post.peer, post.channel, content, why)
        peer = post.peer
        if peer is not None and peer.order is not None:
            peer.order.give_up()
            self._go_on(peer, peer.order)

    def _declared(self, channel: str) -> Event:
        try:
            return self._events[channel]
        except KeyError:
            close = nearest(channel, self._events)
            hint = f"; did you mean {close!r}?" if close else ""
            raise ValueError(
                f"protocol {self._name!r} declares no event {channel!r}{hint}"
            ) from None

    def _filtered(
        self, peer: LocalPeer | None, channel: str, content: Content
    ) -> Content | Refusal:
        """Run the filters; say why when one drops the event or fails."""
        filtered = content
        for plugin, filter_ in self._filters:
            try:
                answer = filter_(self._name, filtered, peer)
            except Exception as error:
                fields = None if peer is None else peer.log_fields()
                log.exception("a filter of events failed on %s", channel, extra=fields)
                self._report(plugin, "fairway_event_filters", error)
                return Refusal.FAILED
            if answer is None:
                return Refusal.FILTERED
            filtered = answer
        return filtered

    def _within_rate(self, peer: LocalPeer) -> bool:
        """Count an event against its peer's rate; False when it must be dropped."""
        now = time.monotonic()
        used = peer.used_until
        spent = (used if used > now else now) + self._spends
        if spent > now + BURST:
            if peer.order is None:
                return False
            # A connection can wait: what is sent stands in its buffers.
            if not peer.held & HoldReason.RATE:
                self.hold(peer, HoldReason.RATE, True)
                self._resume_at(peer, spent - BURST / 2)
        peer.used_until = spent
        return True

    def _resume_at(self, peer: LocalPeer, when: float) -> None:
        def look() -> None:
            later = peer.used_until - BURST / 2
            if later > time.monotonic():
                self._resume_at(peer, later)
            else:
                self.hold(peer, HoldReason.RATE, False)

        self._backplane.clock.call_at(when, look)

    def _send(
        self,
        peer: LocalPeer | None,
        event: Event,
        content: Content,
        awaited: _Awaited | None = None,
    ) -> None:
        encoded = in_envelope(peer, self._name, content, self._max_content)
        send, until = Send(event.channel, encoded), time.monotonic() + event.patience
        if awaited is None:
            post = Post(self, peer, send, (content,), until)
        else:
            post = _AwaitedPost(awaited, peer, send, (content,), until)
        self._outbound.send(post)

    def _append(
        self, peer: LocalPeer, order: PeerOrder, channel: str, content: Content
    ) -> None:
        own = {"order": order.number}
        payload = encode_content(content, self._max_content, shared=own)
        number = order.pass_by()
        if number is not None:
            self._put(peer, order, Batch(channel, (payload,), (content,), number))
            return
        order.add(channel, payload, content)
        self._release(peer, order)
        limits = self._limits
        if order.waiting >= limits.held_events or order.size >= limits.held_bytes:
            self.hold(peer, HoldReason.WAITING, True)

    def _release(self, peer: LocalPeer, order: PeerOrder) -> None:
        """Send what waits, unless something of the peer is on the bus."""
        batch = order.release()
        if batch is not None:
            self._put(peer, order, batch)

    def _put(self, peer: LocalPeer, order: PeerOrder, batch: Batch) -> None:
        send = Send(
            batch.channel,
            peer.envelope or envelope_of(peer, self._name),
            self._expiries[batch.channel],
            events=batch.payloads,
            order=batch.order,
            state=order.state,
        )
        now = time.monotonic()
        self._on_bus[peer] = (now, batch.channel)
        until = now + self._events[batch.channel].patience
        self._outbound.send(Post(self, peer, send, batch.contents, until))

    def _go_on(self, peer: LocalPeer, order: PeerOrder) -> None:
        """The peer's record has ended: send the next one, or let a closed peer go."""
        self._on_bus.pop(peer, None)
        if order.line:
            self._release(peer, order)
        elif not peer.open:
            self._forget(peer)
        if peer.held and peer.held & HoldReason.WAITING:
            limits = self._limits
            few = 2 * order.waiting < limits.held_events
            if few and 2 * order.size < limits.held_bytes:
                self.hold(peer, HoldReason.WAITING, False)
        if self._backplane.settling and not peer.has_waiting_events:
            self._backplane.settled(peer)

    def _wait_on(self, peer: LocalPeer) -> None:
        _, channel = self._on_bus.pop(peer)
        self._on_bus[peer] = (time.monotonic(), channel)

    def _refuse(
        self,
        peer: LocalPeer | None,
        channel: str,
        content: Content,
        why: Refusal,
        *,
        detail: str = "",
    ) -> None:
        self._backplane.drops.add(channel, why, 1, detail, peer=peer)
        if self.protocol is None or (peer is not None and not peer.open):
            return
        try:
            self.protocol.refuse(peer, channel, content, why)
        except Exception as error:
            self._failed("refuse", peer, error)

    def _failed(self, method: str, peer: LocalPeer | None, error: Exception) -> None:
        """Log and tell that the protocol raised; while that is handled."""
        fields = None if peer is None else peer.log_fields()
        log.exception(
            "protocol %s failed in %s() of %r", self._name, method, peer, extra=fields
        )
        self._report(self._plugin, method, error)

    def _sweep(self) -> None:
        """Release peers whose record nobody ended before it expired."""
        now = time.monotonic()
        overdue = []
        for peer, (since, channel) in self._on_bus.items():
            if since + self._shortest_expiry > now:
                break
            if since + self._expiries[channel] <= now:
                overdue.append((peer, channel))
        for peer, channel in overdue:
            self._release_overdue(peer, channel)
        self._backplane.clock.call_at(now + _SWEEP_EVERY, self._sweep)

    def _release_overdue(self, peer: LocalPeer, channel: str) -> None:
        if peer.behind is not None:  # the bus did not even take it yet
            self._wait_on(peer)
        elif peer.order is not None and peer.order.give_up() is not None:
            self._backplane.drops.add(channel, Drop.UNANSWERED, peer=peer)
            self._go_on(peer, peer.order)


class _Awaited:
    """Somebody who waits for what becomes of one post."""

    def __init__(self, events: Events) -> None:
        self.come: asyncio.Future[Refusal | None] = asyncio.Future()
        self._events = events

    def hold(self, peer: LocalPeer, reason: HoldReason, held: bool) -> None:
        """Stop or resume reading from a peer."""
        self._events.hold(peer, reason, held)

    def refused(self, post: Post, why: Refusal) -> None:
        """The bus did not take it for as long as it may wait."""
        self.settle(why)

    def settle(self, why: Refusal | None) -> None:
        """Tell whoever waits, unless they gave up."""
        if not self.come.done():
            self.come.set_result(why)


class _AwaitedPost(Post, eq=False):
    """A post whose success is told, too; `sender` is an `_Awaited`."""

    def __call__(self, outcome: Outcome) -> None:
        super().__call__(outcome)
        if outcome not in NOT_TAKEN:
            cast(_Awaited, self.sender).settle(None)
