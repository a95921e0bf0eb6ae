"""What an author of a protocol of datagrams writes: a section and a mapping."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Generic, TypeAlias

from msgspec import Struct

from fairway.core.content import Content
from fairway.core.exceptions import ConfigurationError
from fairway.core.plugin.protocol import ConfigT, Step
from fairway.core.settings import Config

__all__ = [
    "LARGEST_DATAGRAM",
    "Challenge",
    "DatagramConfig",
    "DatagramMapping",
    "Prove",
]

LARGEST_DATAGRAM = 65_507
"""Bytes that fit into one datagram over IPv4."""


class DatagramConfig(Config, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section of the settings for a protocol of datagrams; subclass it."""

    bind: Sequence[str] = ()
    """Where to listen: `udp:9999`, `udp:127.0.0.1:9999`, `udp:[::1]:9999`, or
    `udp:9999:group=239.1.2.3,interface=192.0.2.1` to join a multicast group; the
    interface is an address, of IPv6 a name such as `eth0`."""
    reuse_port: bool = False
    """Whether several interface servers of one user may listen on the same port; the
    system then gives each client to one of them."""
    max_datagram: int = LARGEST_DATAGRAM
    """Bytes of a datagram; a longer one is dropped and counted."""
    idle: float = 60.0
    """Seconds without a datagram after which a sender is forgotten."""
    address_rate: float = 2_000.0
    """Datagrams per second from one address (IPv6: from one /64 network)."""
    network_rate: float = 10_000.0
    """The same from one network: /24 of IPv4, /48 of IPv6."""
    amplification: float = 3.0
    """How many bytes an address that has not proved itself gets at most for each byte
    that it sent: the sender's address of a datagram can be forged."""
    trusted: list[str] = []
    """Networks whose addresses nobody can forge, such as `127.0.0.0/8`; they need no
    proof."""

    def check(self) -> None:
        """Raise ConfigurationError for values that cannot work."""
        for name in ("max_datagram", "idle", "address_rate", "network_rate"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(name, "must be above 0")
        if self.max_datagram > LARGEST_DATAGRAM:
            raise ConfigurationError(
                "max_datagram", f"must not be above {LARGEST_DATAGRAM}"
            )
        if not self.amplification >= 0:
            raise ConfigurationError("amplification", "must not be negative")
        for network in self.trusted:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ConfigurationError(
                    "trusted", f"has {network!r}, which is no network: {error}"
                ) from None


class Challenge(Struct, frozen=True, gc=False):
    """Step: send a cookie to an address that has not proved itself; the only step.

    Costs no memory. It is not sent when it has more bytes than the address may get.
    """

    before: bytes = b""
    """What stands before the cookie."""
    after: bytes = b""
    """What stands behind it."""


class Prove(Struct, frozen=True, gc=False):
    """Step: the datagram held this cookie; the first step.

    When it is the right one, the address has proved itself and the other steps follow;
    else the datagram is dropped and counted as invalid.
    """

    cookie: bytes


DatagramStep: TypeAlias = Step | Challenge | Prove


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

    def unproved(self, data: bytes, now: float) -> Sequence[DatagramStep]:
        """A datagram arrived from an address that has not proved itself.

        By default it is like any other, and so are answers of few bytes. A protocol
        with larger ones returns a `Challenge`, and `Prove` with what came back.

        Raises:
            RemoteProtocolError: it breaks the protocol; it is dropped and counted.
        """
        return self.received(data, now)

    def reply(self, content: Content, now: float) -> Sequence[Step]:
        """A consumer sent content to the reply channel.

        Raises:
            LocalProtocolError: the protocol cannot carry it; logged and counted.
        """
        raise NotImplementedError

    def left(self, now: float) -> Sequence[Step]:
        """A sender is forgotten for which a consumer keeps state or a group.

        Return the event that says so; nothing else has an effect any more.
        """
        return ()
