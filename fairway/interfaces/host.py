"""The host of one protocol: what the protocol sees of the server, and the reverse."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
import typing
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, cast

from fairway.core.bus.operations import Forward, GroupDiscard, Outcome, Send
from fairway.core.content import Content, encode_content
from fairway.core.drops import Drop
from fairway.core.exceptions import ConfigurationError, PeerRefused
from fairway.core.names import decode_local, shared_channel
from fairway.core.plugin.host import Peer, Refusal, Site
from fairway.core.plugin.loading import DeclaredFilter, LoadedProtocol, PluginFailed
from fairway.core.plugin.protocol import BaseProtocol
from fairway.core.plugin.web import MountPoint, RequestHead
from fairway.core.plugin.wire import (
    DatagramHandler,
    DatagramPort,
    Listener,
    Stream,
    StreamHandler,
)
from fairway.core.settings import Limits
from fairway.interfaces import datagrams, endpoints
from fairway.interfaces.backplane import Backplane
from fairway.interfaces.events import Events
from fairway.interfaces.limits import Admission
from fairway.interfaces.logs import protocol_log
from fairway.interfaces.peers import LocalPeer
from fairway.interfaces.replies import Replies
from fairway.interfaces.shared import SharedReplies
from fairway.interfaces.streams import Listening

__all__ = ["Emit", "ProtocolHost"]

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("fairway.interfaces")


class Emit(typing.Protocol):
    """What `Host.emit` is."""

    def __call__(self, peer: Peer | None, channel: str, content: Content) -> None:
        """Put an event on its channel."""


class ProtocolHost:
    """Implements `fairway.core.plugin.host.Host` for one protocol.

    Args:
        mounts: finds the mounts on a protocol.
        failed: is told what the protocol and filters raise.

    Attributes:
        shared: what takes the replies, where peers are shared.
    """

    def __init__(
        self,
        loaded: LoadedProtocol,
        backplane: Backplane,
        *,
        limits: Limits,
        site: Site,
        grace: float,
        event_filters: tuple[DeclaredFilter, ...],
        reply_filters: tuple[DeclaredFilter, ...],
        mounts: Callable[[str], Sequence[MountPoint]],
        failed: PluginFailed,
    ) -> None:
        self.name = loaded.spec.name
        self.spec = loaded.spec
        self.limits = limits
        self.site = site
        self.grace = grace
        self.clock = backplane.clock
        self.log = protocol_log(self.name, loaded.config)
        self.claims_won = 0
        self.claims_lost = 0
        self._backplane = backplane
        self._mounts = mounts
        self._admission = Admission(limits)
        self.shared: SharedReplies | None = None
        if loaded.spec.peers == "shared":
            self.shared = SharedReplies(self.name, backplane, self._deliver_shared)
        self._plugin = loaded.plugin
        self._report = failed
        self._setting = f'FAIRWAY["PLUGINS"]["{loaded.plugin}"]["bind"]'
        self._events = Events(
            loaded.spec,
            limits,
            backplane,
            filters=event_filters,
            forget=self._forget,
            failed=failed,
            plugin=loaded.plugin,
        )
        self.emit: Emit = cast(Emit, self._events.emit)  # without a step between
        """Puts an event on its channel."""
        self.events: Mapping[str, int] = self._events.counts
        """How many events there were, by channel."""
        self.replies = Replies(
            loaded.spec,
            self._events,
            backplane.drops,
            reply_filters,
            close=self.close_peer,
            failed=failed,
            plugin=loaded.plugin,
        )

    def serve(self, protocol: BaseProtocol[Any]) -> None:
        """Carry this protocol."""
        self._events.protocol = self.replies.protocol = protocol

    @property
    def peers(self) -> int:
        """How many peers there are."""
        return self._admission.peers

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
    ) -> LocalPeer:
        """Begin a peer."""
        if self.shared is not None:
            if key is None:
                raise ValueError(f"a peer of {self.name!r} needs a key: it is shared")
            return self._shared_peer(key, handle, client, path)
        peers = self._backplane.peers
        if key is not None and (known := peers.find(f"{self.name}:{key}")):
            return known
        try:
            address = self._admission.enter(
                client, time.monotonic(), handshake=handshake
            )
        except PeerRefused as refusal:
            self.drop(Drop.LIMIT, detail=refusal.limit)
            raise
        local = peers.new_local()
        peer = LocalPeer(
            owner=self.replies,
            handle=handle,
            id=f"{self.name}:{local if key is None else key}",
            client=client,
            reply_channel=f"{self._backplane.mailbox}!{local}",
            local=local,
            address=address,
            order=self._events.new_order(),
            path=path if head is None else head.path,
            head=head,
            request_id="" if head is None else head.request_id,
        )
        peers.add(peer, returns=key is not None)
        return peer

    def close_peer(self, peer: Peer) -> None:
        """End a peer."""
        local = cast(LocalPeer, peer)
        if not local.open:
            return
        local.open = False
        if not local.local:  # shared
            return
        backplane = self._backplane
        if local.groups:
            for group in backplane.groups.leave_all(local):
                backplane.port.post(GroupDiscard(group, local.reply_channel))
        if local.order is None or local.order.idle:
            self._forget(local)
        else:  # after its last event
            backplane.peers.close(local)

    async def emitted(
        self, peer: Peer | None, channel: str, content: Content
    ) -> Refusal | None:
        """Put an event on its channel and wait until that is settled."""
        return await self._events.emitted(
            cast("LocalPeer | None", peer), channel, content
        )

    def hold_replies(self, reading: bool) -> None:
        """Take no more replies to shared peers, or go on."""
        if self.shared is not None:
            self.shared.hold(reading)

    def put_back(self, peer: Peer, content: Content) -> None:
        """Leave a reply to a shared peer for the server that carries on."""
        self.send(peer.reply_channel, content)

    def send(self, channel: str, content: Content) -> None:
        """Put content on a channel with a single reader."""
        encoded = encode_content(content, self._backplane.policy.max_content)
        self._backplane.port.post(
            Send(channel, encoded), lambda outcome: self._sent(channel, outcome)
        )

    async def listen_stream(
        self, endpoint: str, accept: Callable[[Stream], StreamHandler]
    ) -> Listener:
        """Accept connections."""
        listening = Listening(accept, self.clock, self.failed)
        return await endpoints.listen(endpoint, listening, setting=self._setting)

    async def listen_datagram(
        self,
        address: str,
        handler: DatagramHandler,
        *,
        reuse_port: bool = False,
        largest: int = datagrams.LARGEST,
    ) -> DatagramPort:
        """Receive datagrams."""
        try:
            bound = datagrams.bind(address, reuse_port=reuse_port)
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                self._setting, f"has {address!r}, which cannot be listened to: {error}"
            ) from error
        return datagrams.SocketPort(
            bound,
            handler,
            loop=self._backplane.loop,
            own=self._backplane.datagram_ports,
            largest=largest,
            dropped=lambda reason, detail: self.drop(reason, None, detail),
            failed=self.failed,
        )

    def mounts(self, on: str) -> Sequence[MountPoint]:
        """Return what enabled plugins mount on a protocol, longest prefix first."""
        return self._mounts(on)

    def forward(self, reply_channel: str, content: Content) -> None:
        """Hand content to the process that owns a peer."""
        encoded = encode_content(content, self._backplane.policy.max_content)
        self._backplane.port.post(Forward(reply_channel, encoded))

    async def claim(self, key: str, ttl: float, owner: str = "") -> bool:
        """Return True to exactly one caller among all processes for `ttl` seconds."""
        won = await self._backplane.port.claim(f"{self.name}:{key}", ttl, owner)
        self.claims_won += won
        self.claims_lost += not won
        return won

    async def blocking(
        self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a call that may block in a thread and return its result."""
        result: T = await self._backplane.blocking(
            functools.partial(call, *args, **kwargs)
        )
        return result

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside."""
        self._backplane.spawn(work, self._ended)

    def failed(
        self,
        method: str,
        error: Exception,
        client: str = "",
        *,
        peer: Peer | None = None,
        plugin: str = "",
    ) -> None:
        """Log an exception, and tell the hook."""
        plugin = plugin or self._plugin
        fields = None if peer is None else peer.log_fields()
        self.log.error(
            "plugin %s failed in %s() of %s",
            plugin,
            method,
            client or self.name,
            exc_info=error,
            extra=fields,
        )
        self._report(plugin, method, error)

    def drop(self, reason: str, peer: Peer | None = None, detail: str = "") -> None:
        """Count and log something of a peer that is dropped."""
        self._backplane.drops.add(
            self.name, reason, 1, detail, peer=cast("LocalPeer | None", peer)
        )

    def _shared_peer(
        self, key: str, handle: object, client: str, path: str | None = None
    ) -> LocalPeer:
        assert self.shared is not None
        return LocalPeer(
            owner=self.replies,
            handle=handle,
            id=f"{self.name}:{key}",
            client=client,
            reply_channel=shared_channel(self.name, key),
            path=path,
            fresh=False,  # who is new is known to their session only
        )

    def _deliver_shared(self, local: str, content: Content) -> None:
        key = decode_local(local)
        self.replies.deliver((self._shared_peer(key, None, key),), content)

    def _sent(self, channel: str, outcome: Outcome) -> None:
        if outcome is not Outcome.ACCEPTED:
            self._backplane.drops.add(channel, outcome.value)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        try:
            task.result()
        except Exception as error:
            self.failed("spawn", error)

    def _forget(self, peer: LocalPeer) -> None:
        self._backplane.peers.forget(peer)
        self._admission.leave(peer.address)
