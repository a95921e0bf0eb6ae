"""A request in the hands of a mount; see `fairway.kit.Exchange`."""

from __future__ import annotations

import asyncio
import typing
from collections.abc import Callable, Iterable
from enum import Enum

from fairway.kit import (
    Headers,
    LocalProtocolError,
    RemoteProtocolError,
    RequestHead,
    Stream,
    StreamHandler,
)

__all__ = ["ExchangeOwner", "HttpExchange"]

_Accept: typing.TypeAlias = Callable[[Stream], StreamHandler]


class ExchangeOwner(typing.Protocol):
    """The connection that carries an exchange."""

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the client did not take yet."""

    def want_body(self, limit: int) -> None:
        """Read the body."""

    def begin_answer(self, status: int, headers: Headers, body: bytes | None) -> None:
        """Answer, with the whole body or None for one that follows."""

    def add_part(self, data: bytes, *, last: bool) -> None:
        """Continue the answer."""

    def switch(self, headers: Headers, accept: _Accept) -> None:
        """Answer 101 and hand the stream over."""

    def abort(self, reason: str) -> None:
        """Cut the connection."""

    def hold_exchange(self, reading: bool) -> None:
        """Stop or resume reading."""


class _State(Enum):
    OPEN = 1
    ANSWERED = 2
    LEFT = 3


class HttpExchange:
    """Implements `fairway.kit.Exchange`; silent when the client has left."""

    def __init__(self, owner: ExchangeOwner, head: RequestHead) -> None:
        self.head = head
        self._owner = owner
        self._state = _State.OPEN
        self._parts: list[bytes] = []
        self._body: asyncio.Future[None] | None = None
        self._closed_calls: list[Callable[[], None]] = []

    # What the mount calls.

    async def body(self, limit: int) -> bytes:
        """Read the whole body; see `Exchange.body`."""
        if self._state is _State.LEFT:
            raise RemoteProtocolError("the client left")
        self._check_open()
        if self._body is None:
            self._body = asyncio.get_running_loop().create_future()
            self._owner.want_body(limit)
        await self._body
        return b"".join(self._parts)

    def respond(
        self,
        status: int,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
    ) -> None:
        """Answer in one go."""
        if self._is_open():
            self._owner.begin_answer(status, list(headers), body)

    def start(self, status: int, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Begin an answer whose body follows."""
        if self._is_open():
            self._owner.begin_answer(status, list(headers), None)

    def write(self, data: bytes) -> None:
        """Send a part of the body."""
        if self._is_open():
            self._owner.add_part(data, last=False)

    def finish(self) -> None:
        """End the body."""
        if self._is_open():
            self._owner.add_part(b"", last=True)

    def abort(self) -> None:
        """Cut the connection."""
        if self._state is _State.OPEN:
            self._owner.abort("a mount said so")

    def upgrade(self, headers: Iterable[tuple[bytes, bytes]], accept: _Accept) -> None:
        """Answer 101 and hand the connection over."""
        if self._is_open():
            self._owner.switch(list(headers), accept)

    def on_closed(self, call: Callable[[], None]) -> None:
        """Call once when the client left before the answer was complete."""
        self._closed_calls.append(call)

    def hold(self, reading: bool) -> None:
        """Stop or resume reading from the connection."""
        if self._state is _State.OPEN:
            self._owner.hold_exchange(reading)

    @property
    def unsent_bytes(self) -> int:
        """Bytes of the answer that the client has not taken yet."""
        return self._owner.unsent_bytes

    # What the connection calls.

    def fed(self, data: bytes) -> None:
        """Some of the body arrived."""
        self._parts.append(data)

    def body_ended(self, failure: str) -> None:
        """The body is complete, or never will be."""
        if self._body is None or self._body.done():
            return
        if failure:
            # Without a status: http has answered.
            self._body.set_exception(RemoteProtocolError(failure))
        else:
            self._body.set_result(None)

    def ended(self) -> None:
        """The answer is complete."""
        self._state = _State.ANSWERED

    def left(self) -> None:
        """The client left before the answer was complete."""
        self._state = _State.LEFT
        self.body_ended("the client left")
        calls, self._closed_calls = self._closed_calls, []
        for call in calls:
            call()

    def _is_open(self) -> bool:
        if self._state is _State.LEFT:
            return False
        self._check_open()
        return True

    def _check_open(self) -> None:
        if self._state is _State.ANSWERED:
            raise LocalProtocolError("the request was answered already")
