"""Addresses of datagrams: how settings write them, and which are this machine's own."""

from __future__ import annotations

import ipaddress
import socket
from collections import Counter

from msgspec import Struct

__all__ = ["BindAddress", "OwnPorts", "parse_address", "with_zone"]

_FORMS = "it must be 'udp:PORT', 'udp:HOST:PORT' or 'udp:PORT:group=GROUP'"


class BindAddress(Struct, frozen=True, kw_only=True):
    """Where a datagram socket is bound."""

    host: str
    port: int
    group: str | None = None
    """The multicast group that it joins."""
    interface: str | None = None
    """Where: an address, or of IPv6 the name of an interface; None lets the system
    choose."""

    @property
    def is_ipv6(self) -> bool:
        """Whether it is IPv6, else it is IPv4."""
        return ":" in self.host


def parse_address(text: str) -> BindAddress:
    """Return what an address of the settings says; see `Host.listen_datagram`.

    Raises:
        ValueError: it cannot be read, or cannot work.
    """
    where, has_group, options = text.partition(":group=")
    kind, _, rest = where.partition(":")
    host, colon, number = rest.rpartition(":")
    if kind != "udp" or not number.isdecimal() or int(number) > 65_535:
        raise ValueError(_FORMS)
    port = int(number)
    if has_group:
        if colon:
            raise ValueError("a group is joined on 'udp:PORT', without a host")
        return _in_group(port, options)
    if not colon:
        return BindAddress(host="0.0.0.0", port=port)
    if host.startswith("[") and host.endswith("]"):
        return BindAddress(host=str(ipaddress.IPv6Address(host[1:-1])), port=port)
    return BindAddress(host=str(ipaddress.IPv4Address(host)), port=port)


def _in_group(port: int, options: str) -> BindAddress:
    group, _, rest = options.partition(",")
    address = ipaddress.ip_address(group)
    if not address.is_multicast:
        raise ValueError(f"{group} is not the address of a multicast group")
    key, _, interface = rest.partition("=")
    if rest and (key != "interface" or not interface):
        raise ValueError(f"{rest!r} is not 'interface=...'")
    if interface and address.version == 4:
        ipaddress.IPv4Address(interface)
    return BindAddress(
        host="0.0.0.0" if address.version == 4 else "::",
        port=port,
        group=str(address),
        interface=interface or None,
    )


class OwnPorts:
    """The datagram ports of this process: none of them may talk to another.

    One forged datagram would make a server that echoes answer itself for ever.
    """

    def __init__(self) -> None:
        self._bound: Counter[tuple[int, str]] = Counter()
        self.numbers: frozenset[int] = frozenset()
        """The numbers of all ports: what does not have one of them is a stranger."""

    def add(self, address: tuple[str, int]) -> None:
        """Count a port that was bound."""
        self._bound[address[1], address[0]] += 1
        self._renumber()

    def discard(self, address: tuple[str, int]) -> None:
        """Count a port that was closed."""
        self._bound[address[1], address[0]] -= 1
        self._bound = +self._bound
        self._renumber()

    def holds(self, address: tuple[str, int]) -> bool:
        """Return whether an address is one of these ports, by any name it may have."""
        host, number = address
        if number not in self.numbers:
            return False
        hosts = {bound for port, bound in self._bound if port == number}
        everywhere = "::" if ":" in host else "0.0.0.0"
        return (
            # A socket does not say the zone of its own address.
            host.partition("%")[0] in hosts
            or host == everywhere
            or (everywhere in hosts and is_local(host))
        )

    def _renumber(self) -> None:
        self.numbers = frozenset(port for port, _ in self._bound)


def with_zone(address: tuple[str, int]) -> tuple[str, int] | tuple[str, int, int, int]:
    """Return what the system takes for an address; Python leaves out a zone in a name.

    Raises:
        OSError: there is no such interface.
    """
    host, _, zone = address[0].partition("%")
    if not zone:
        return address
    index = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    return host, address[1], 0, index


def is_local(host: str) -> bool:
    """Return whether an address belongs to this machine at this moment.

    The system knows best: it lets a socket be bound to its own addresses only.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(with_zone((host, 0)))
        except OSError:
            return False
    return True
