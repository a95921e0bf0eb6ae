"""Streams of ordered bytes over Twisted's transports: TLS, Unix sockets, others."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IPushProducer,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from fairway.interfaces.reactor import install_reactor
from fairway.interfaces.streams import (
    HIGH_WATER,
    BaseStream,
    Listening,
    display_address,
    display_client,
)

__all__ = ["TwistedListener", "TwistedStream", "listen_twisted"]


_GOODBYE = 5.0
"""Seconds that the other end may take to answer the goodbye of TLS."""


class TwistedStream(BaseStream):
    """A stream over one of Twisted's transports.

    While the transport has more than `HIGH_WATER` queued, writes wait here, where they
    can be counted: what a Twisted transport has queued is its own affair.
    """

    __slots__ = ("_full", "_queue", "_queued", "_transport")

    def __init__(self, listening: Listening, transport: Any) -> None:
        super().__init__(listening)
        self._transport = transport
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._full = False
        self.secure = ISSLTransport.providedBy(transport)
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)

    def begin(self) -> None:
        """Tell whoever accepts that the connection is there."""
        self.client = display_client(*_named(self._transport.getPeer()))
        self.server = _named(self._transport.getHost())
        self._begin()

    def write(self, data: bytes) -> None:
        """Send bytes; what the other end does not take is queued."""
        if self.closing:
            return
        if self._full:
            self._queue.append(data)
            self._queued += len(data)
        else:
            self._transport.write(data)

    @property
    def unsent_bytes(self) -> int:
        """Bytes that Twisted has not taken yet, and a full transport's `HIGH_WATER`."""
        return self._queued + HIGH_WATER if self._full else 0

    def received(self, data: bytes) -> None:
        """Bytes arrived."""
        self._received(data)

    def full(self) -> None:
        """The transport wants no more."""
        if not self._full:
            self._full = True
            self._writable(False)

    def drained(self) -> None:
        """The transport has sent all that it had."""
        self._full = False
        while self._queue and not self._full:
            data = self._queue.popleft()
            self._queued -= len(data)
            self._transport.write(data)
        if self._full:
            return
        if self.closing:
            self._close()
        else:
            self._writable(True)

    def lost(self, reason: str) -> None:
        """The connection has ended."""
        self._drop_queue()
        self._ended(reason)

    def _half_close(self) -> None:
        # TLS has no such half; a full transport would wait for its producer first.
        if not self.secure and not self._full:
            self._transport.unregisterProducer()
            self._transport.loseWriteConnection()

    def _close(self) -> None:
        if self._queue:
            return  # drained() calls again
        # A registered producer would keep the connection open.
        self._transport.unregisterProducer()
        self._transport.loseConnection()
        if self.secure:
            clock = self._listening.clock
            clock.call_at(clock.now() + _GOODBYE, self._hang_up)

    def _hang_up(self) -> None:
        """End a connection whose other end does not answer the goodbye of TLS.

        What was written before is still sent: it may take the other end longer.
        """
        below = getattr(self._transport, "transport", None)
        if not self._over and below is not None:
            below.loseConnection()

    def _abort(self) -> None:
        self._drop_queue()
        self._transport.abortConnection()

    def _drop_queue(self) -> None:
        self._queue.clear()
        self._queued = 0

    def _pause(self) -> None:
        self._transport.pauseProducing()

    def _resume(self) -> None:
        self._transport.resumeProducing()


@implementer(IPushProducer)
class _Connection(Protocol):
    """Twisted's end of a stream."""

    def __init__(self, listening: Listening, *, late: bool) -> None:
        self._listening = listening
        self._late = late
        self._begun = False
        self._stream: TwistedStream | None = None

    def connectionMade(self) -> None:
        transport: Any = self.transport
        self._stream = TwistedStream(self._listening, transport)
        transport.registerProducer(self, True)
        if not self._late:
            self._begin(self._stream)

    def dataReceived(self, data: bytes) -> None:
        stream = self._stream
        if stream is None:
            return
        if not self._begun:
            self._begin(stream)
        stream.received(data)

    def connectionLost(self, reason: Failure | None = None) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            error = None if reason is None else reason.value
            clean = error is None or isinstance(error, ConnectionDone)
            stream.lost("" if clean else str(error))

    def pauseProducing(self) -> None:
        if self._stream is not None:
            self._stream.full()

    def resumeProducing(self) -> None:
        if self._stream is not None:
            self._stream.drained()

    def stopProducing(self) -> None:
        """The connection is lost; connectionLost follows."""

    def _begin(self, stream: TwistedStream) -> None:
        self._begun = True
        stream.begin()


class _Connections(Factory):
    noisy = False

    def __init__(self, listening: Listening, *, late: bool) -> None:
        self._listening = listening
        self._late = late

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return _Connection(self._listening, late=self._late)


class TwistedListener:
    """A listening port of Twisted."""

    def __init__(self, port: IListeningPort) -> None:
        self._port = port
        address = port.getHost()
        host, number = _named(address)
        self.port = number or 0
        path = getattr(address, "name", None)
        self.address = _text(path) if path else display_client(host, number)

    async def close(self) -> None:
        """Stop accepting; open connections stay."""
        stopped = maybeDeferred(self._port.stopListening)
        await stopped.asFuture(asyncio.get_running_loop())


async def listen_twisted(description: str, listening: Listening) -> TwistedListener:
    """Listen on any endpoint that Twisted, or one of its plugins, knows.

    Raises:
        Exception: whatever Twisted finds wrong with it.
    """
    loop = asyncio.get_running_loop()
    endpoint = serverFromString(  # type: ignore[no-untyped-call]
        install_reactor(loop), description
    )
    # Behind a proxy the client's address is known when the proxy's header was read.
    late = description.startswith("haproxy:")
    factory = _Connections(listening, late=late)
    port = await endpoint.listen(factory).asFuture(loop)
    return TwistedListener(port)


def _named(address: Any) -> tuple[str, int | None]:
    host = getattr(address, "host", None)
    if host is None:
        return "unix", None
    return display_address((_text(host), address.port))


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
