"""Protocols of ordered bytes: a pure mapping for each connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic

from fairway.core.content import Content
from fairway.core.drops import Drop
from fairway.core.exceptions import LocalProtocolError, RemoteProtocolError
from fairway.core.plugin.deadline import Deadline
from fairway.core.plugin.host import Host, Peer, Refusal
from fairway.core.plugin.protocol import (
    BaseProtocol,
    ConfigT,
    Emit,
    Hangup,
    Invalid,
    Step,
    Write,
)
from fairway.core.plugin.wire import Listener, Stream

__all__ = ["StreamMapping", "StreamProtocol"]


class StreamMapping(Generic[ConfigT]):
    """The translation of one connection of a protocol of ordered bytes. Pure."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def opened(self, now: float) -> Sequence[Step]:
        """The connection is there."""
        return ()

    def received(self, data: bytes, now: float) -> Sequence[Step]:
        """Bytes arrived, cut anywhere.

        Raises:
            RemoteProtocolError: they break the protocol; that is counted, and the
                connection is closed. To say something before, and to keep the events
                before it, return `Invalid`, `Write` and `Hangup` instead.
        """
        raise NotImplementedError

    def reply(self, content: Content, now: float) -> Sequence[Step]:
        """A consumer sent content to the reply channel.

        Raises:
            LocalProtocolError: the protocol cannot carry it; logged and counted.
        """
        raise NotImplementedError

    def refused(self, channel: str, why: Refusal, now: float) -> Sequence[Step]:
        """An event did not get through."""
        return (Hangup(why),)

    def closed(self, now: float) -> Sequence[Step]:
        """The connection has ended; only `Emit` makes sense now."""
        return ()

    def next_deadline(self) -> float | None:
        """Return when `deadline_passed` wants to be called, None for never."""
        return None

    def deadline_passed(self, now: float) -> Sequence[Step]:
        """The deadline has passed."""
        return ()


class _Connection(Generic[ConfigT]):
    """One stream and its mapping."""

    __slots__ = ("_deadline", "_host", "_mapping", "_protocol", "peer", "stream")

    def __init__(
        self,
        protocol: StreamProtocol[ConfigT],
        mapping: StreamMapping[ConfigT],
        stream: Stream,
    ) -> None:
        self._protocol = protocol
        self._host = protocol.host
        self._mapping = mapping
        self.stream = stream
        self.peer = self._host.open_peer(self, client=stream.client)
        self._deadline = Deadline(
            self._host.clock, mapping.next_deadline, self._deadline_passed
        )

    # What the stream tells.

    def begin(self) -> None:
        self._run(lambda now: self._mapping.opened(now))

    def received(self, data: bytes) -> None:
        # What a mapping answers by itself must not pile up behind a client either.
        if not self._is_slow():
            self._run(lambda now: self._mapping.received(data, now))

    def writable(self, ready: bool) -> None:
        """Nothing to do: each reply looks at what is unsent."""

    def closed(self, reason: str) -> None:
        try:
            for step in self._mapping.closed(self._host.clock.now()):
                if isinstance(step, Emit):
                    self._host.emit(self.peer, step.channel, step.content)
        finally:
            self.end()

    def end(self) -> None:
        """Let go of the peer."""
        self._deadline.cancel()
        self._host.close_peer(self.peer)
        self._protocol.forget(self)

    # What the protocol asks.

    def reply(self, content: Content) -> None:
        # One message that finds less than the limit queued is written whole.
        if not self._is_slow():
            self._run(lambda now: self._mapping.reply(content, now))

    def refused(self, channel: str, why: Refusal) -> None:
        self._run(lambda now: self._mapping.refused(channel, why, now))

    def _is_slow(self) -> bool:
        """Cut a connection that takes too little of what is sent to it."""
        if self.stream.unsent_bytes <= self._host.limits.unsent_bytes:
            return False
        self._host.drop(Drop.SLOW, self.peer)
        self.stream.abort()
        return True

    def _run(self, decide: Callable[[float], Sequence[Step]]) -> None:
        """Ask the mapping and perform its steps."""
        try:
            steps = decide(self._host.clock.now())
        except RemoteProtocolError as error:
            self._host.drop(Drop.INVALID, self.peer, str(error))
            steps = (Hangup(error.reason),)
        for step in steps:
            match step:
                case Emit(channel=channel, content=content):
                    self._host.emit(self.peer, channel, content)
                case Write(data=data):
                    self.stream.write(data)
                case Invalid(reason=reason):
                    self._host.drop(Drop.INVALID, self.peer, reason)
                case Hangup():
                    self.stream.close()
        self._deadline.update()

    def _deadline_passed(self) -> None:
        try:
            self._run(lambda now: self._mapping.deadline_passed(now))
        except Exception as error:
            self._deadline.cancel()  # it stands, and would be called again
            self._host.failed("deadline", error, self.peer.client, peer=self.peer)
            self.stream.abort()


class StreamProtocol(BaseProtocol[ConfigT]):
    """Runs a `StreamMapping` for each connection.

    Set `mapping`. The config needs `bind`, endpoint strings; override `endpoints` when
    it has none.
    """

    mapping: ClassVar[type[StreamMapping[Any]]]

    def __init__(self, config: ConfigT, host: Host) -> None:
        super().__init__(config, host)
        self.listeners: list[Listener] = []
        self._connections: set[_Connection[ConfigT]] = set()
        self._emptied: asyncio.Event | None = None

    def endpoints(self) -> Sequence[str]:
        """Return where to listen."""
        bind: Sequence[str] = getattr(self.config, "bind", ())
        return bind

    async def start(self) -> None:
        """Listen on all endpoints."""
        for endpoint in self.endpoints():
            self.listeners.append(await self.host.listen_stream(endpoint, self.accept))

    def accept(self, stream: Stream) -> _Connection[ConfigT]:
        """Begin a connection; also for streams that come from a mount's upgrade.

        Raises:
            PeerRefused: a limit stands before it.
        """
        mapping: StreamMapping[ConfigT] = self.mapping(self.config)
        connection = _Connection(self, mapping, stream)
        self._connections.add(connection)
        try:
            connection.begin()
        except Exception:
            connection.end()  # nobody tells it of the stream's end
            raise
        return connection

    def deliver(self, peers: Sequence[Peer], content: Content) -> None:
        """Let each peer's mapping write the reply."""
        for peer in peers:
            try:
                peer.handle.reply(content)
            except LocalProtocolError as error:
                self.host.drop(Drop.UNSUPPORTED, peer, str(error))
            except Exception as error:  # one peer must not cost the others theirs
                self.host.failed("deliver", error, peer.client, peer=peer)
                self.host.drop(Drop.FAILED, peer)

    def refuse(
        self, peer: Peer | None, channel: str, content: Content, why: Refusal
    ) -> None:
        """Let the peer's mapping answer."""
        if peer is not None:
            peer.handle.refused(channel, why)

    def hold(self, peer: Peer, reading: bool) -> None:
        """Stop or resume reading."""
        peer.handle.stream.hold(reading)

    def disconnect(self, peer: Peer, reason: str) -> None:
        """Cut the connection."""
        peer.handle.stream.abort()

    def forget(self, connection: _Connection[ConfigT]) -> None:
        """Drop a connection that has ended."""
        self._connections.discard(connection)
        if self._emptied is not None and not self._connections:
            self._emptied.set()

    async def stop(self, grace: float) -> None:
        """Stop listening, close all connections, cut those that take too long."""
        for listener in self.listeners:
            await listener.close()
        for connection in list(self._connections):
            connection.stream.close()
        if not self._connections:
            return
        self._emptied = asyncio.Event()
        try:
            # Not wait_for: on 3.11 it swallows a cancellation that comes with its end.
            async with asyncio.timeout(grace):
                await self._emptied.wait()
        except TimeoutError:
            for connection in list(self._connections):
                connection.stream.abort()
