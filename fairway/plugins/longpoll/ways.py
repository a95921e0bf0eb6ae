"""The way of an answer: a request at this server, or one that another server holds."""

from __future__ import annotations

import typing
from collections.abc import Callable

from fairway.kit import Content, Exchange, Headers
from fairway.plugins.longpoll.cors import origin_headers
from fairway.plugins.longpoll.wire import STREAM

__all__ = ["LocalWay", "RemoteWay", "Way"]

_JSON = (b"content-type", b"application/json")
# Answers hold tokens and what is meant for one client; no proxy may keep or guess.
_EVERY: Headers = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]
_STREAM: Headers = [
    (b"content-type", STREAM),
    # nginx: pass on what comes.
    (b"x-accel-buffering", b"no"),
]
_PART = 256 * 1024
"""Bytes of an answer that travel between servers in one piece."""


class Way(typing.Protocol):
    """One request that waits, or is a stream."""

    is_remote: bool
    """Whether another interface server holds it; it may die unheard."""

    def respond(self, status: int, body: bytes, headers: Headers | None = None) -> None:
        """Answer with JSON."""

    def start(self) -> None:
        """Begin a stream of events."""

    def write(self, data: bytes) -> None:
        """Continue the stream."""

    def finish(self) -> None:
        """End the stream."""

    def on_left(self, call: Callable[[], None]) -> None:
        """Call once when the client goes before the answer is complete."""

    @property
    def unsent_bytes(self) -> int:
        """Bytes of the stream that the client did not take yet, if known."""


class LocalWay:
    """A request at this server."""

    __slots__ = ("_exchange", "_origin")
    is_remote = False

    def __init__(self, exchange: Exchange, origin: bytes | None) -> None:
        self._exchange = exchange
        self._origin = origin

    def respond(self, status: int, body: bytes, headers: Headers | None = None) -> None:
        """Answer with JSON, or with nothing."""
        fields = [*_EVERY, _JSON] if body else [*_EVERY]
        if self._origin is not None:
            fields += origin_headers(self._origin)
        if headers:
            fields += headers
        self._exchange.respond(status, fields, body)

    def start(self) -> None:
        """Begin a stream of events."""
        self._exchange.start(200, [*_EVERY, *_STREAM, *origin_headers(self._origin)])

    def write(self, data: bytes) -> None:
        """Continue the stream."""
        self._exchange.write(data)

    def finish(self) -> None:
        """End the stream."""
        self._exchange.finish()

    def abort(self) -> None:
        """Cut the connection."""
        self._exchange.abort()

    def on_left(self, call: Callable[[], None]) -> None:
        """Call once when the client goes."""
        self._exchange.on_closed(call)

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the client did not take yet."""
        return self._exchange.unsent_bytes


class RemoteWay:
    """A request that another server holds; answers go to it in pieces.

    Args:
        send: carries content to that server.
    """

    __slots__ = ("_left", "_parts", "_to")
    is_remote = True

    def __init__(self, send: Callable[[Content], None]) -> None:
        self._to = send
        self._parts = 0
        self._left: Callable[[], None] | None = None

    def hold(self) -> None:
        """Tell the other server that its client is known here, and waits."""
        self._send({})

    def respond(self, status: int, body: bytes, headers: Headers | None = None) -> None:
        """Answer with JSON."""
        self._left = None
        for at in range(0, len(body), _PART):
            last = at + _PART >= len(body)
            end = {"status": status} if last else {}
            self._send({"body": body[at : at + _PART], **end})

    def start(self) -> None:
        """Begin a stream of events."""
        self._send({"stream": True})

    def write(self, data: bytes) -> None:
        """Continue the stream."""
        for at in range(0, len(data), _PART):
            self._send({"data": data[at : at + _PART]})

    def finish(self) -> None:
        """End the stream."""
        self._left = None
        self._send({"end": True})

    def on_left(self, call: Callable[[], None]) -> None:
        """Call once when the client goes, as the other server says."""
        self._left = call

    def left(self) -> None:
        """The other server says that the client went."""
        call, self._left = self._left, None
        if call is not None:
            call()

    @property
    def unsent_bytes(self) -> int:
        """Not known here; the other server looks."""
        return 0

    def _send(self, part: Content) -> None:
        # Numbered, so that the other server notices when the bus has lost one.
        self._to({**part, "part": self._parts})
        self._parts += 1
