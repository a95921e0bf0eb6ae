"""Limits, decided purely: who may become a peer, and how often something may happen.

Rates have room for a burst of one second. The algorithm is the leaky bucket as a meter
(GCRA, ITU-T I.371): one float says until when the past has used up the rate.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from fairway.core.exceptions import PeerRefused
from fairway.core.settings import Limits

__all__ = ["BURST", "Admission", "Rates", "address_of", "spend"]

BURST = 1.0
"""Seconds of the rate that may be used at once."""
_PRUNE_ABOVE = 1_024


def spend(used_until: float, rate: float, now: float) -> float:
    """Return `used_until` after one more use; above `now + BURST` it is one too many.

    Args:
        used_until: what the last call returned, 0.0 at first.
        rate: uses per second.
    """
    return (used_until if used_until > now else now) + 1.0 / rate


class Rates:
    """One rate for each of many keys, such as client addresses.

    Args:
        rate: uses per second of each key.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._used_until: dict[str, float] = {}
        self._prune_at = _PRUNE_ABOVE

    def take(self, key: str, now: float) -> float:
        """Use the rate once; return 0.0, or the seconds until it may be used again."""
        used_until = self._used_until.get(key, 0.0)
        spent = spend(used_until, self.rate, now)
        if spent > now + BURST:
            return spent - now - BURST
        self._used_until[key] = spent
        if len(self._used_until) > self._prune_at:
            self._prune(now)
        return 0.0

    def _prune(self, now: float) -> None:
        self._used_until = {k: end for k, end in self._used_until.items() if end > now}
        self._prune_at = max(_PRUNE_ABOVE, 2 * len(self._used_until))


class Admission:
    """Counts the peers of one protocol and refuses those that are too many."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.peers = 0
        self._per_address: dict[str, int] = {}
        self._handshakes = Rates(limits.handshakes_per_second)

    def enter(self, client: str, now: float, *, handshake: bool) -> str:
        """Count a new peer; return the address that `leave` wants back.

        Args:
            client: display address.
            handshake: whether it also counts against `handshakes_per_second`.

        Raises:
            PeerRefused: naming the limit.
        """
        if self.peers >= self.limits.peers:
            raise PeerRefused("peers", client)
        address = address_of(client)
        if address:
            count = self._per_address.get(address, 0)
            if count >= self.limits.peers_per_address:
                raise PeerRefused("peers_per_address", client)
            if handshake and (wait := self._handshakes.take(address, now)):
                raise PeerRefused("handshakes_per_second", client, wait)
            self._per_address[address] = count + 1
        self.peers += 1
        return address

    def leave(self, address: str) -> None:
        """Count a peer that is gone."""
        self.peers -= 1
        if not address:
            return
        if (count := self._per_address[address] - 1) > 0:
            self._per_address[address] = count
        else:
            del self._per_address[address]


@lru_cache(maxsize=4_096)
def address_of(client: str) -> str:
    """Return what limits by address count: the address of a display address.

    An IPv6 client has 2^64 addresses of its own, so its /64 network counts as one. A
    client without an address (a Unix socket) is not limited: an empty string.
    """
    if client.startswith("["):
        host = client[1:].partition("]")[0]
    else:
        host = client.partition(":")[0] if client.count(":") == 1 else client
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
