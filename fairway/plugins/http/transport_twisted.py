"""Listens, accepts connections within the limits, and finds them again."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from fairway.kit import (
    BaseProtocol,
    Content,
    Drop,
    Host,
    Listener,
    Peer,
    PeerRefused,
    Refusal,
    Stream,
    StreamHandler,
)
from fairway.plugins.http.connection import Held, HttpConnection
from fairway.plugins.http.mapping import HttpMapping
from fairway.plugins.http.proxy import Origin
from fairway.plugins.http.spec import HttpConfig
from fairway.plugins.http.spool import Spools
from fairway.plugins.http.surroundings import READ_AHEAD, Connection, Surroundings

__all__ = ["HttpProtocol"]

_LAST_REQUESTS = 2.0
"""Seconds that idle connections stay when the server stops: a client that has just sent
a request cannot know whether one that was cut took it."""


class HttpProtocol(BaseProtocol[HttpConfig]):
    """HTTP/1.1 on all endpoints of `bind`."""

    def __init__(self, config: HttpConfig, host: Host) -> None:
        super().__init__(config, host)
        self.listeners: list[Listener] = []
        self.spools = Spools(host, config.spool_dir, config.spool_total)
        self._surroundings: Surroundings | None = None
        self._connections: set[HttpConnection] = set()
        self._per_address: Counter[str] = Counter()
        self._accepted = 0
        self._emptied = asyncio.Event()

    async def start(self) -> None:
        """Listen on all endpoints."""
        limits = self.host.limits
        waiting = min(self.config.max_pipelined, limits.held_events)
        self._surroundings = Surroundings(
            msgspec.structs.replace(self.config, max_pipelined=waiting),
            self.host.mounts("http"),
            secrets.token_hex(6),
            read_ahead=min(READ_AHEAD, limits.held_bytes),
        )
        for endpoint in self.config.bind:
            self.listeners.append(await self.host.listen_stream(endpoint, self.accept))

    def accept(self, stream: Stream) -> StreamHandler:
        """Begin a connection.

        Raises:
            PeerRefused: this address has too many connections; idle ones count as well.
        """
        surroundings = self._surroundings
        assert surroundings is not None
        address = _address(stream)
        limits = self.host.limits
        if len(self._connections) >= limits.peers:
            self.host.drop(Drop.LIMIT, None, "peers")
            raise PeerRefused("peers", stream.client)
        if self._per_address[address] >= limits.peers_per_address and not (
            self.is_proxy(stream)
        ):
            self.host.drop(Drop.LIMIT, None, "peers_per_address")
            raise PeerRefused("peers_per_address", stream.client)
        self._per_address[address] += 1
        self._accepted += 1
        scheme = "https" if stream.secure else "http"
        about = Connection(
            self._accepted,
            Origin(stream.client, scheme, stream.server),
            time.time() - self.host.clock.now(),
        )
        mapping = HttpMapping(surroundings, about)
        connection = HttpConnection(self, stream, mapping)
        self._connections.add(connection)
        return connection

    def figures(self) -> Mapping[str, float]:
        """Return what is kept on disk, and who is connected."""
        return {
            "connections": len(self._connections),
            "spool_bytes": self.spools.on_disk,
            "spool_files": self.spools.files,
        }

    def is_proxy(self, stream: Stream) -> bool:
        """Return whether a trusted proxy is at the other end."""
        surroundings = self._surroundings
        return surroundings is not None and surroundings.proxies.trusts(stream.client)

    def forget(self, connection: HttpConnection) -> None:
        """Drop a connection that has ended, or speaks something else."""
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        address = _address(connection.stream)
        self._per_address[address] -= 1
        if not self._per_address[address]:
            del self._per_address[address]
        if not self._connections:
            self._emptied.set()

    def deliver(self, peers: Sequence[Peer], content: Content) -> None:
        """Let each connection write the reply."""
        for peer in peers:
            connection: HttpConnection = peer.handle
            try:
                connection.reply(content)
            except Exception as error:  # one peer must not cost the others theirs
                self.host.failed("deliver", error, peer.client, peer=peer)
                connection.stream.abort()

    def refuse(
        self, peer: Peer | None, channel: str, content: Content, why: Refusal
    ) -> None:
        """Answer the request whose event did not get through."""
        if peer is not None and peer is peer.handle.peer:
            peer.handle.refused(why)

    def unanswered(self, peer: Peer, why: str) -> None:
        """Answer the request that nobody else will answer."""
        if peer is peer.handle.peer:
            peer.handle.unanswered(why)

    def hold(self, peer: Peer, reading: bool) -> None:
        """Stop or resume reading."""
        peer.handle.hold(Held.HOST, reading)

    def disconnect(self, peer: Peer, reason: str) -> None:
        """Answer the request with 503, or cut the connection when an answer began."""
        peer.handle.disconnect(reason)

    async def stop(self, grace: float) -> None:
        """Stop listening, answer what is in flight within `grace`, close the rest."""
        for listener in self.listeners:
            await listener.close()
        self._emptied.clear()
        for connection in list(self._connections):
            connection.stop(min(_LAST_REQUESTS, grace / 2))
        if self._connections:
            try:
                async with asyncio.timeout(grace):
                    await self._emptied.wait()
            except TimeoutError:
                self.host.log.warning(
                    "%d requests were not answered in time", len(self._connections)
                )
        for connection in list(self._connections):
            connection.abort("the server stops")


def _address(stream: Stream) -> str:
    return stream.client.rpartition(":")[0]
