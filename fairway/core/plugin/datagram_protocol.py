"""Protocols of single datagrams: one pure mapping for all senders."""

from __future__ import annotations

import ipaddress
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, ClassVar, TypeAlias

from msgspec import Struct

from fairway.core.content import Content
from fairway.core.drops import Drop
from fairway.core.exceptions import (
    LocalProtocolError,
    PeerRefused,
    RemoteProtocolError,
)
from fairway.core.plugin.cookies import Cookies
from fairway.core.plugin.datagram_mapping import (
    Challenge,
    DatagramConfig,
    DatagramMapping,
    DatagramStep,
    Prove,
)
from fairway.core.plugin.host import Host, Peer
from fairway.core.plugin.protocol import (
    BaseProtocol,
    ConfigT,
    Emit,
    Hangup,
    Invalid,
    Write,
)
from fairway.core.plugin.rates import AddressRates
from fairway.core.plugin.wire import DatagramPort, Timer

__all__ = ["DatagramProtocol"]

_SWEEP_EVERY = 1.0
_SWEEP_AT_ONCE = 1_000
"""Senders that are forgotten before the loop does something else."""

_Address: TypeAlias = tuple[str, int]
_Key: TypeAlias = tuple[DatagramPort, _Address]
"""Which of our ports, and which sender."""


class _Sender(Struct, gc=False):
    """One address that sends to one port."""

    key: _Key
    seen: float
    """When it sent last."""
    proved: bool
    """Whether it is known to get what is sent to it."""
    credit: float = 0.0
    """Bytes that it may get while it is not."""


class DatagramProtocol(BaseProtocol[ConfigT]):
    """Runs a `DatagramMapping` on ports; remembers senders for a bounded time.

    Set `mapping`. The config is a `DatagramConfig`, or at least has `bind`, addresses
    such as `udp:9999`; then the other fields have their defaults.

    A datagram costs nothing but its reading when its address or network sends too
    many. When there are more senders than the limit `peers`, those that were silent
    longest are forgotten.
    """

    mapping: ClassVar[type[DatagramMapping[Any]]]

    def __init__(self, config: ConfigT, host: Host) -> None:
        super().__init__(config, host)
        self.ports: list[DatagramPort] = []
        self._mapping: DatagramMapping[ConfigT] = self.mapping(config)
        section = config if isinstance(config, DatagramConfig) else DatagramConfig()
        self._section = section
        self._rates = AddressRates(section.address_rate, section.network_rate)
        self._cookies = Cookies(secrets.token_bytes(32))
        self._trusts = _trust_in(section.trusted)
        # In the order in which they sent last, so that the idle ones stand in front.
        self._peers: OrderedDict[_Key, Peer] = OrderedDict()
        self._sweep: Timer | None = None

    async def start(self) -> None:
        """Listen on all ports."""
        bind: Sequence[str] = getattr(self.config, "bind", ())
        for address in bind:
            port = await self.host.listen_datagram(
                address,
                self,
                reuse_port=self._section.reuse_port,
                largest=self._section.max_datagram,
            )
            self.ports.append(port)
        self._forget_idle()

    def received(self, port: DatagramPort, data: bytes, address: _Address) -> None:
        """Let the mapping read a datagram."""
        now = self.host.clock.now()
        if not self._rates.take(address[0], now):
            self.host.drop(Drop.LIMIT, None, "datagrams of an address or its network")
            return
        key = (port, address)
        peer = self._peers.get(key)
        proved = self._trusts(address[0]) if peer is None else peer.handle.proved
        steps: Sequence[DatagramStep]
        try:
            if proved:
                steps = self._mapping.received(data, now)
            else:
                steps = self._mapping.unproved(data, now)
                first = steps[0] if steps else None
                if type(first) is Challenge:
                    self._challenge(key, len(data), first, now)
                    return
                if type(first) is Prove:
                    self._check(first.cookie, address, now)
                    proved = True
            if peer is None:
                peer = self._open(_Sender(key, now, proved))
        except RemoteProtocolError as error:
            self.host.drop(Drop.INVALID, None, str(error))
            return
        except PeerRefused:
            return  # counted by the host; an answer would only help whoever floods
        sender: _Sender = peer.handle
        sender.seen = now
        sender.proved = proved
        sender.credit += len(data) * self._section.amplification
        self._peers.move_to_end(key)
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

    def _challenge(
        self, key: _Key, received: int, challenge: Challenge, now: float
    ) -> None:
        port, address = key
        cookie = self._cookies.make(address, now)
        data = challenge.before + cookie + challenge.after
        if len(data) > received * self._section.amplification:
            self.host.drop(Drop.LIMIT, None, "too short to be answered with a cookie")
        else:
            port.send(data, address)

    def _check(self, cookie: bytes, address: _Address, now: float) -> None:
        if not self._cookies.check(cookie, address, now):
            raise RemoteProtocolError("a wrong or old cookie")

    def _perform(self, peer: Peer, steps: Sequence[DatagramStep]) -> None:
        for step in steps:
            if isinstance(step, Emit):
                self.host.emit(peer, step.channel, step.content)
            elif isinstance(step, Write):
                self._write(peer, step.data)
            elif isinstance(step, Hangup):
                self._forget(peer)
            elif isinstance(step, Invalid):
                self.host.drop(Drop.INVALID, peer, step.reason)

    def _write(self, peer: Peer, data: bytes) -> None:
        sender: _Sender = peer.handle
        if not sender.proved:
            if len(data) > sender.credit:
                self.host.drop(Drop.LIMIT, peer, "more than an unproved address gets")
                return
            sender.credit -= len(data)
        port, address = sender.key
        port.send(data, address)

    def _open(self, sender: _Sender) -> Peer:
        if len(self._peers) >= self.host.limits.peers:
            self._forget(next(iter(self._peers.values())))
        host, number = sender.key[1]
        client = f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
        peer = self.host.open_peer(sender, client=client)
        self._peers[sender.key] = peer
        return peer

    def _forget(self, peer: Peer) -> None:
        if self._peers.pop(peer.handle.key, None) is None:
            return
        if peer.kept:
            try:
                for step in self._mapping.left(self.host.clock.now()):
                    if isinstance(step, Emit):
                        self.host.emit(peer, step.channel, step.content)
            except Exception as error:  # those behind it are forgotten all the same
                self.host.failed("left", error, peer.client, peer=peer)
        self.host.close_peer(peer)

    def _forget_idle(self) -> None:
        now = self.host.clock.now()
        silent_since = now - self._section.idle
        oldest = list(islice(self._peers.values(), _SWEEP_AT_ONCE))
        idle = [peer for peer in oldest if peer.handle.seen <= silent_since]
        for peer in idle:
            self._forget(peer)
        pause = 0.0 if len(idle) == _SWEEP_AT_ONCE else _SWEEP_EVERY
        self._sweep = self.host.clock.call_at(now + pause, self._forget_idle)


def _trust_in(networks: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether an address belongs to one of some networks."""
    if not networks:
        return lambda host: False
    trusted = [ipaddress.ip_network(network) for network in networks]

    @lru_cache(maxsize=4_096)
    def trusts(host: str) -> bool:
        address = ipaddress.ip_address(host)
        return any(address in network for network in trusted)

    return trusts
