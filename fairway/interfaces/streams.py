"""Streams of ordered bytes over the loop's own transports, and what all streams share.

The boundary of a connection is here: an exception in whoever is told of its events is
told to its host and aborts this one stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, cast

from fairway.core.exceptions import PeerRefused
from fairway.core.plugin.wire import Clock, Stream, StreamHandler, Timer

__all__ = [
    "HIGH_WATER",
    "Accept",
    "Failed",
    "Listening",
    "AsyncioStream",
    "BaseStream",
    "display_address",
    "display_client",
    "receive_buffer",
]

Accept = Callable[[Stream], StreamHandler]
Failed: TypeAlias = Callable[[str, Exception, str], None]
"""Logs and tells an exception: (method, exception, display address)."""

LINGER = 30.0
"""Seconds that a closed stream may take to send what is queued."""
HIGH_WATER = 64 * 1024
"""Bytes queued for the other end above which a stream is not writable."""
_LOW_WATER = 16 * 1024
_READ_BYTES = 64 * 1024


class Listening(NamedTuple):
    """What the streams of one listener have in common."""

    accept: Accept
    clock: Clock
    failed: Failed


def display_address(name: object) -> tuple[str, int | None]:
    """Return host and port of a socket's name; `("unix", None)` without one."""
    if isinstance(name, (tuple, list)) and len(name) >= 2:
        host = str(name[0])
        return host.removeprefix("::ffff:") if "." in host else host, int(name[1])
    return "unix", None


def display_client(host: str, port: int | None) -> str:
    """Return the display address of a client."""
    if port is None:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class BaseStream:
    """One connection and its handler; subclasses move the bytes."""

    __slots__ = (
        "_early",
        "_handler",
        "_linger",
        "_listening",
        "_over",
        "_reading",
        "client",
        "closing",
        "secure",
        "server",
    )

    def __init__(self, listening: Listening) -> None:
        self.client = ""
        self.server: tuple[str, int | None] = ("", None)
        self.secure = False
        self.closing = False
        self._listening = listening
        self._handler: StreamHandler | None = None
        self._over = False
        self._reading = True
        # What arrived while nobody wanted to read.
        self._early: list[bytes] | None = None
        self._linger: Timer | None = None

    def half_close(self) -> None:
        """Tell the other end, behind everything queued, that nothing follows."""
        if not self.closing:
            self._half_close()

    def close(self) -> None:
        """Close when everything queued was sent, or after `LINGER` seconds."""
        if not self.closing:
            self.closing = True
            self._linger_for(LINGER)
            self._close()

    def abort(self) -> None:
        """Close now and drop what is queued."""
        self.closing = True
        if not self._over:
            self._abort()

    def hold(self, reading: bool) -> None:
        """Stop (False) or resume (True) reading; nothing arrives meanwhile."""
        if reading == self._reading or self.closing:
            return
        self._reading = reading
        if not reading:
            self._pause()
            return
        early, self._early = self._early, None
        for index, data in enumerate(early or ()):
            self._received(data)
            if not self._reading:
                self._early = (early or [])[index + 1 :]
                return
        self._resume()

    def _begin(self) -> None:
        try:
            self._handler = self._listening.accept(cast(Stream, self))
        except PeerRefused:
            self.abort()
        except Exception as error:
            self._failed("accept", error)

    def _received(self, data: bytes) -> None:
        if not self._reading:
            self._early = [*(self._early or ()), data]
        elif self._handler is not None and not self.closing:
            try:
                self._handler.received(data)
            except Exception as error:
                self._failed("received", error)

    def _writable(self, ready: bool) -> None:
        if self._handler is not None:
            try:
                self._handler.writable(ready)
            except Exception as error:
                self._failed("writable", error)

    def _ended(self, reason: str) -> None:
        if self.closing:
            reason = ""  # what comes of an end that was asked for is no news
        self.closing = self._over = True
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        handler, self._handler = self._handler, None
        if handler is not None:
            try:
                handler.closed(reason)
            except Exception as error:
                self._listening.failed("closed", error, self.client)

    def _failed(self, method: str, error: Exception) -> None:
        self._listening.failed(method, error, self.client)
        self.abort()

    def _linger_for(self, seconds: float) -> None:
        if self._linger is not None:
            self._linger.cancel()
        clock = self._listening.clock
        self._linger = clock.call_at(clock.now() + seconds, self.abort)

    def _half_close(self) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        raise NotImplementedError

    def _abort(self) -> None:
        raise NotImplementedError

    def _pause(self) -> None:
        raise NotImplementedError

    def _resume(self) -> None:
        raise NotImplementedError


class AsyncioStream(BaseStream, asyncio.BufferedProtocol):
    """A stream over a transport of the loop: of uvloop, if it is installed.

    Args:
        buffer: where bytes are received; streams of one loop may share it, because they
            are copied out before the loop turns to another one.
    """

    __slots__ = ("_buffer", "_transport")

    def __init__(self, listening: Listening, buffer: bytearray) -> None:
        super().__init__(listening)
        self._buffer = memoryview(buffer)
        self._transport: Any = None

    def write(self, data: bytes) -> None:
        """Send bytes; what the other end does not take is queued."""
        if not self.closing:
            self._transport.write(data)

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the kernel has not taken yet."""
        if self._transport is None:
            return 0
        size: int = self._transport.get_write_buffer_size()
        return size

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = transport
        self._transport.set_write_buffer_limits(HIGH_WATER, _LOW_WATER)
        name = transport.get_extra_info("peername")
        if not name:
            # It was reset already; without an address it would pass for a Unix socket,
            # which may be a trusted proxy.
            self.abort()
            return
        host, port = display_address(name)
        self.client = display_client(host, port)
        self.server = display_address(transport.get_extra_info("sockname"))
        self._begin()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where to put what arrives."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes arrived."""
        self._received(bytes(self._buffer[:nbytes]))

    def eof_received(self) -> bool:
        """The other end sends no more."""
        self.close()
        return True  # the transport stays until what is queued was sent

    def pause_writing(self) -> None:
        """More than `HIGH_WATER` is queued."""
        self._writable(False)

    def resume_writing(self) -> None:
        """Little is queued again."""
        self._writable(True)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection has ended."""
        self._ended("" if error is None else str(error) or type(error).__name__)

    def _half_close(self) -> None:
        self._transport.write_eof()

    def _close(self) -> None:
        self._transport.close()

    def _abort(self) -> None:
        self._transport.abort()

    def _pause(self) -> None:
        self._transport.pause_reading()

    def _resume(self) -> None:
        self._transport.resume_reading()


def receive_buffer() -> bytearray:
    """Return a buffer for the streams of one listener."""
    return bytearray(_READ_BYTES)
