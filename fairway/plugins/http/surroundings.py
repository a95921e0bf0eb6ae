"""What a connection is told about the process and the network it is in."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from fairway.kit import MountPoint, RequestHead
from fairway.plugins.http.head import Head
from fairway.plugins.http.mounts import Mounts
from fairway.plugins.http.pace import times_of
from fairway.plugins.http.proxy import Origin, TrustedProxies
from fairway.plugins.http.spec import HttpConfig

__all__ = ["READ_AHEAD", "Connection", "Surroundings"]

READ_AHEAD = 64 * 1024
"""Bytes that may wait unread before a connection is not read."""


class Connection(Struct, frozen=True):
    """What is known of one connection."""

    number: int
    """Unique in this process."""
    origin: Origin
    """Of whoever is at its other end."""
    epoch: float = 0.0
    """Seconds since 1970 when the clock that `now` comes from stood at zero."""


class Surroundings:
    """What all connections of one process share.

    Args:
        points: what is mounted on http, longest prefix first.
        token: makes names of channels unique among processes.
        read_ahead: bytes of a connection that may wait unread.
    """

    def __init__(
        self,
        config: HttpConfig,
        points: Sequence[MountPoint],
        token: str,
        *,
        read_ahead: int = READ_AHEAD,
    ) -> None:
        self.config = config
        self.read_ahead = read_ahead
        self.mounts = Mounts(points)
        self.proxies = TrustedProxies(config.trusted_proxies)
        self.times = times_of(config)
        server = config.server_header.encode("latin-1")
        self.server = b"Server: %b\r\n" % server if server else b""
        self.token = token

    def request_head(self, head: Head, connection: Connection) -> RequestHead:
        """Return a request's head as consumers and mounts see it."""
        origin, request_id = connection.origin, ""
        if self.proxies.trusts(origin.client):
            request_id = self.proxies.request_id(head.headers)
            origin = self.proxies.origin(head.headers, origin)
        return RequestHead(
            head.method,
            head.path,
            head.raw_path,
            head.query_string,
            head.headers,
            head.http_version,
            origin.scheme,
            origin.client,
            origin.server,
            request_id,
        )

    def body_channel(self, connection: Connection, number: int) -> str:
        """Return the name of the channel on which a body is pulled."""
        return f"http.body?{self.token}-{connection.number}-{number}"
