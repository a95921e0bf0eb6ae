"""All WebSockets of an interface server, on connections that http hands over."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from fairway.kit import (
    BaseProtocol,
    Content,
    Drop,
    Exchange,
    Host,
    Peer,
    Refusal,
)
from fairway.plugins.websocket.connection import Connection
from fairway.plugins.websocket.engine import load_engine
from fairway.plugins.websocket.reply import plain_message
from fairway.plugins.websocket.spec import WebSocketConfig

__all__ = ["WebSocketProtocol"]


class WebSocketProtocol(BaseProtocol[WebSocketConfig]):
    """Finds the connections of peers, and ends them all when the server stops."""

    def __init__(self, config: WebSocketConfig, host: Host) -> None:
        super().__init__(config, host)
        self._engine = load_engine(config.engine)
        self._connections: set[Connection] = set()
        self._stopping = False
        self._all_gone = asyncio.Event()

    def open(self, exchange: Exchange) -> None:
        """Take a request that asks for a WebSocket; the mount's `open`."""
        connection = Connection(
            exchange,
            self.config,
            self.host,
            engine=self._engine,
            gone=self._forget,
        )
        self._connections.add(connection)
        if self._stopping:
            connection.stop()
        else:
            connection.begin()

    def deliver(self, peers: Sequence[Peer], content: Content) -> None:
        """Send a reply; the frame of a message for many is built once."""
        frames = plain_message(content)
        # A message for many came by a group.
        may_skip = self.config.slow_client == "skip" and len(peers) > 1
        for peer in peers:
            connection: Connection = peer.handle
            try:
                if frames is not None and connection.is_open:
                    connection.send(frames, may_skip=may_skip)
                else:
                    connection.reply(content)
            except Exception as error:  # one peer must not cost the others theirs
                self.host.failed("deliver", error, peer.client, peer=peer)
                self.host.drop(Drop.FAILED, peer)
                connection.cut()

    def refuse(
        self, peer: Peer | None, channel: str, content: Content, why: Refusal
    ) -> None:
        """Refuse the handshake, or close the open connection."""
        if peer is not None:
            peer.handle.refused(channel, why)

    def hold(self, peer: Peer, reading: bool) -> None:
        """Stop or resume reading."""
        peer.handle.hold(reading)

    def disconnect(self, peer: Peer, reason: str) -> None:
        """Close a connection with 1013."""
        peer.handle.dismiss(reason)

    async def stop(self, grace: float) -> None:
        """Close all connections with 1012, spread at random over half of `grace`.

        Their clients do not come back all at once, and have the other half to answer.
        """
        self._stopping = True
        clock = self.host.clock
        for connection in list(self._connections):
            connection.stop_at(clock.now() + random.uniform(0.0, grace / 2))
        if self._connections:
            timer = clock.call_at(clock.now() + grace, self._all_gone.set)
            await self._all_gone.wait()
            timer.cancel()
        for connection in list(self._connections):
            connection.cut()

    def _forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if self._stopping and not self._connections:
            self._all_gone.set()
