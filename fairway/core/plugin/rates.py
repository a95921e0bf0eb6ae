"""Rates of datagrams by address and by network, in bounded memory.

The algorithm is the leaky bucket as a meter (GCRA, ITU-T I.371), with room for a burst
of one second: one float says until when the past has used up a rate.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from functools import lru_cache

__all__ = ["AddressRates", "places_of"]

_BURST = 1.0
_MOST = 32_768


class AddressRates:
    """How often something may come from one address, and from one network.

    The place that was silent longest is forgotten when there are too many.

    Args:
        per_address: per second, of an IPv4 address or an IPv6 network of 64 bits.
        per_network: per second, of an IPv4 network of 24 bits or an IPv6 one of 48.
        most: places of each kind that are remembered.
    """

    def __init__(
        self, per_address: float, per_network: float, *, most: int = _MOST
    ) -> None:
        self._address_step = 1.0 / per_address
        self._network_step = 1.0 / per_network
        self._most = most
        self._addresses: OrderedDict[str, float] = OrderedDict()
        self._networks: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._addresses) + len(self._networks)

    def take(self, host: str, now: float) -> bool:
        """Count one; return whether it is within both rates."""
        address, network = places_of(host)
        addresses, networks = self._addresses, self._networks
        limit = now + _BURST
        used = addresses.get(address, now)
        by_address = (used if used > now else now) + self._address_step
        if by_address > limit:
            return False
        used = networks.get(network, now)
        by_network = (used if used > now else now) + self._network_step
        if by_network > limit:
            return False
        addresses[address] = by_address
        addresses.move_to_end(address)
        networks[network] = by_network
        networks.move_to_end(network)
        if len(addresses) > self._most:
            addresses.popitem(last=False)
        if len(networks) > self._most:
            networks.popitem(last=False)
        return True


def places_of(host: str) -> tuple[str, str]:
    """Return what an address counts as, and the network that it belongs to.

    An IPv6 client has 2^64 addresses of its own, and a site of one 2^16 such networks.
    """
    if ":" in host:
        return _ipv6_places(host)
    return host, host.rpartition(".")[0]


@lru_cache(maxsize=4_096)
def _ipv6_places(host: str) -> tuple[str, str]:
    number = int(ipaddress.IPv6Address(host.partition("%")[0]))
    return f"{number >> 64:x}/64", f"{number >> 80:x}/48"
