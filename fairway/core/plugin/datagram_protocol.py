"""Protocols of single datagrams: one pure mapping for all senders."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeAlias

from msgspec import Struct

from fairway.core.content import Content
from fairway.core.drops import Drop
from fairway.core.exceptions import (
    LocalProtocolError,
    PeerRefused,
    RemoteProtocolError,
)
from fairway.core.plugin.host import Host, Peer
from fairway.core.plugin.protocol import (
    BaseProtocol,
    ConfigT,
    Emit,
    Hangup,
    Step,
    Write,
)
from fairway.core.plugin.wire import DatagramPort, Timer

__all__ = ["DatagramMapping", "DatagramProtocol"]

_Key: TypeAlias = tuple[tuple[str, int], tuple[str, int]]
"""Which of our ports, and which sender."""


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

    @property
    def key(self) -> _Key:
        """What tells it from all others."""
        return self.port.address, self.address


class DatagramProtocol(BaseProtocol[ConfigT]):
    """Runs a `DatagramMapping` on ports; remembers senders for a bounded time.

    Set `mapping`. The config needs `bind`, addresses such as `udp:9999`. When there are
    more senders than the limit `peers`, those that were silent longest are forgotten.
    """

    mapping: ClassVar[type[DatagramMapping[Any]]]
    idle: ClassVar[float] = 60.0
    """Seconds without a datagram or a reply after which a sender is forgotten."""

    def __init__(self, config: ConfigT, host: Host) -> None:
        super().__init__(config, host)
        self.ports: list[DatagramPort] = []
        self._mapping: DatagramMapping[ConfigT] = self.mapping(config)
        # In order of last use, so that the idle ones stand at the front.
        self._peers: OrderedDict[_Key, Peer] = OrderedDict()
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
            peer = self._peer(port, address)
        except RemoteProtocolError as error:
            self.host.drop(Drop.INVALID, None, str(error))
        except PeerRefused:
            return  # counted by the host; an answer would only help whoever floods
        else:
            self._perform(peer, steps)

    def deliver(self, peers: Sequence[Peer], content: Content) -> None:
        """Send a datagram to each peer."""
        try:
            steps = self._mapping.reply(content, self.host.clock.now())
        except LocalProtocolError as error:
            self.host.drop(Drop.UNSUPPORTED, None, str(error))
            return
        for peer in peers:
            if peer.open:
                self._touch(peer)
                self._perform(peer, steps)

    def disconnect(self, peer: Peer, reason: str) -> None:
        """Forget the sender."""
        self._forget(peer)

    async def stop(self, grace: float) -> None:
        """Give the ports back."""
        if self._sweep is not None:
            self._sweep.cancel()
        for port in self.ports:
            await port.close()
        for peer in list(self._peers.values()):
            self._forget(peer)

    def _perform(self, peer: Peer, steps: Sequence[Step]) -> None:
        sender: _Sender = peer.handle
        for step in steps:
            match step:
                case Emit(channel=channel, content=content):
                    self.host.emit(peer, channel, content)
                case Write(data=data):
                    sender.port.send(data, sender.address)
                case Hangup():
                    self._forget(peer)

    def _peer(self, port: DatagramPort, address: tuple[str, int]) -> Peer:
        known = self._peers.get((port.address, address))
        if known is not None:
            self._touch(known)
            return known
        if len(self._peers) >= self.host.limits.peers:
            self._forget(next(iter(self._peers.values())))
        host, number = address
        client = f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
        sender = _Sender(port, address, self.host.clock.now())
        peer = self.host.open_peer(sender, client=client)
        self._peers[sender.key] = peer
        return peer

    def _touch(self, peer: Peer) -> None:
        peer.handle.seen = self.host.clock.now()
        self._peers.move_to_end(peer.handle.key)

    def _forget(self, peer: Peer) -> None:
        self._peers.pop(peer.handle.key, None)
        self.host.close_peer(peer)

    def _forget_idle(self) -> None:
        now = self.host.clock.now()
        while self._peers:
            oldest = next(iter(self._peers.values()))
            if oldest.handle.seen + self.idle > now:
                break
            self._forget(oldest)
        self._sweep = self.host.clock.call_at(now + 1.0, self._forget_idle)
