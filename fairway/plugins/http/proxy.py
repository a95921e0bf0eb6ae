"""Who the client is, and how it came, when a trusted proxy stands in front.

Only what the nearest trusted proxies themselves saw is believed: of `X-Forwarded-For`
the right-most address that is no trusted proxy.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias

from msgspec import Struct

from fairway.kit import Headers

__all__ = ["Origin", "TrustedProxies"]

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_MAX_HOPS = 32
_HOP = re.compile(
    r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?|([0-9a-fA-F:.]+)"
)


_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")


class Origin(Struct, frozen=True):
    """Where a request came from."""

    client: str
    """Display address; without a port when only the proxy knows it."""
    scheme: str
    server: tuple[str, int | None]


class TrustedProxies:
    """The proxies that are believed.

    Args:
        proxies: addresses, networks and `unix`, as in the settings.
    """

    def __init__(self, proxies: Iterable[str]) -> None:
        listed = list(proxies)
        self._unix = "unix" in listed
        self._networks = [ipaddress.ip_network(p) for p in listed if p != "unix"]

    def trusts(self, client: str) -> bool:
        """Return whether a display address is that of a trusted proxy."""
        if client == "unix":
            return self._unix
        if not self._networks:
            return False
        address = _address(client)
        return address is not None and self._is_trusted(address)

    def origin(self, headers: Headers, direct: Origin) -> Origin:
        """Return where a request of a trusted proxy came from.

        Args:
            direct: the proxy's own connection.
        """
        forwarded = _values(headers, b"x-forwarded-for")[-_MAX_HOPS:]
        schemes = _values(headers, b"x-forwarded-proto")
        ports = _values(headers, b"x-forwarded-port")
        scheme = schemes[-1].lower() if schemes else ""
        port = ports[-1] if ports else ""
        server = direct.server
        if port.isdecimal() and 0 < int(port[:6]) < 65_536:
            server = (server[0], int(port))
        return Origin(
            self._client(forwarded) or direct.client,
            scheme if scheme in ("http", "https") else direct.scheme,
            server,
        )

    def request_id(self, headers: Headers) -> str:
        """Return what a trusted proxy calls its request, empty if it is not clear."""
        found = [value for name, value in headers if name == b"x-request-id"]
        if len(found) == 1 and _REQUEST_ID.fullmatch(found[0]):
            return found[0].decode("ascii")
        return ""

    def _client(self, hops: Sequence[str]) -> str:
        """Return the right-most hop that is no trusted proxy, else the left-most."""
        client = ""
        for hop in reversed(hops):
            address = _address(hop)
            if address is None:  # whoever wrote this is no proxy
                break
            client = _display(hop, address)
            if not self._is_trusted(address):
                break
        return client

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


@lru_cache(maxsize=4_096)
def _address(hop: str) -> Address | None:
    """Return the address in `192.0.2.1`, `192.0.2.1:80`, `::1` or `[::1]:80`."""
    match = _HOP.fullmatch(hop)
    if match is None:
        return None
    try:
        address = ipaddress.ip_address(match[1] or match[2] or match[4])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _display(hop: str, address: Address) -> str:
    match = _HOP.fullmatch(hop)
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"{host}:{match[3]}" if match and match[3] else host


def _values(headers: Headers, name: bytes) -> list[str]:
    return [
        part.strip(" \t")
        for key, value in headers
        if key == name
        for part in value.decode("latin-1").split(",")
    ]
