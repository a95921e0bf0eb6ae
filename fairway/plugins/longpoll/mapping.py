"""The life of one conversation, decided: requests and replies in, steps out.

HELD, until a consumer accepts or refuses; OPEN; CLOSING, the end waits until the client
asks for it; ENDED.

`longpoll.connect` is emitted for a new conversation. `longpoll.disconnect` follows it
exactly once, unless a consumer refused the connect or it never got through.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum
from typing import Literal, TypeAlias

from msgspec import Struct

from fairway.kit import (
    Content,
    Drop,
    Emit,
    Headers,
    LocalProtocolError,
    Refusal,
    RemoteProtocolError,
)
from fairway.plugins.longpoll import wire
from fairway.plugins.longpoll.outbox import Outbox
from fairway.plugins.longpoll.wire import Bytes, Close, Post

__all__ = [
    "Accept",
    "Deny",
    "End",
    "Flush",
    "Log",
    "LongPollMapping",
    "Report",
    "Step",
    "plain_message",
]

CONNECT, RECEIVE, DISCONNECT = (
    "longpoll.connect",
    "longpoll.receive",
    "longpoll.disconnect",
)

_LEFT, _INTERNAL_ERROR, _RESTARTING, _TRY_LATER, _TOO_BIG = 1006, 1011, 1012, 1013, 1009
_RETRY_AFTER: Headers = [(b"retry-after", b"5")]
_STATUS_OF_CLOSE = {_INTERNAL_ERROR: 500, _RESTARTING: 503, _TRY_LATER: 503}
_STATUS_OF_REFUSAL = {
    Refusal.FULL: 503,
    Refusal.UNAVAILABLE: 503,
    Refusal.LIMIT: 429,
    Refusal.TOO_LARGE: 431,
    Refusal.FILTERED: 403,
    Refusal.FAILED: 500,
}
_CLOSE_OF_REFUSAL = {
    Refusal.FULL: _TRY_LATER,
    Refusal.UNAVAILABLE: _TRY_LATER,
    Refusal.TOO_LARGE: _TOO_BIG,
    Refusal.FAILED: _INTERNAL_ERROR,
}


class Accept(Struct, frozen=True, gc=False):
    """Step: tell the client its token."""


class Deny(Struct, frozen=True):
    """Step: answer the request that asked for the conversation with a refusal."""

    status: int
    headers: Headers
    reason: str


class Flush(Struct, frozen=True, gc=False):
    """Step: hand out what waits for the client, if it asks."""


_FLUSH = (Flush(),)


class End(Struct, frozen=True, gc=False):
    """Step: no event follows, the peer can be closed."""


class Log(Struct, frozen=True, gc=False):
    """Step: write a line about the conversation to the access log."""

    what: Literal["CONNECT", "ACCEPT", "REFUSE", "DISCONNECT"]
    status: int | None = None
    """HTTP status or close code."""


class Report(Struct, frozen=True, gc=False):
    """Step: count and log something of this client that was dropped."""

    reason: str
    detail: str = ""


Step: TypeAlias = Emit | Accept | Deny | Flush | End | Log | Report


class _State(Enum):
    HELD = "held"
    OPEN = "open"
    CLOSING = "closing"
    ENDED = "ended"


def plain_message(content: Content) -> bytes | None:
    """Return the message that is all of a reply as JSON, None for any other reply."""
    match content:
        case {"text": str()} | {"bytes": bytes()} if len(content) == 1:
            return wire.message(content)
    return None


class LongPollMapping:
    """One conversation.

    Args:
        max_unread: messages that may wait for the client.
        max_bytes: their bytes; one that finds less waiting is kept whole.
    """

    __slots__ = ("_max_bytes", "_max_unread", "_state", "closing", "outbox", "received")

    def __init__(self, max_unread: int, max_bytes: int) -> None:
        self._max_unread = max_unread
        self._max_bytes = max_bytes
        self._state = _State.HELD
        self.outbox = Outbox()
        self.received = 0
        """The number of the client's last message."""
        self.closing: Close | None = None
        """How it ends, once that is known."""

    @property
    def is_held(self) -> bool:
        """Whether no consumer has decided yet."""
        return self._state is _State.HELD

    @property
    def is_open(self) -> bool:
        """Whether messages go both ways."""
        return self._state is _State.OPEN

    @property
    def is_ended(self) -> bool:
        """Whether nothing is left to say."""
        return self._state is _State.ENDED

    # What the client does.

    def requested(self) -> Sequence[Step]:
        """A client asks for a conversation."""
        return (Log("CONNECT"), Emit(CONNECT, {}))

    def polled(self, after: int | None) -> int:
        """The client asks for what follows a message; return that one's number.

        Args:
            after: None for the last one that was handed out.

        Raises:
            RemoteProtocolError: with 400 for one that was never sent, with 410 when
                what follows is not here any more.
        """
        outbox = self.outbox
        if after is None:
            after = outbox.sent
        if after > outbox.sent:
            raise RemoteProtocolError("'after' was never sent", status=400)
        if not outbox.knows(after):
            if self.closing is not None:
                return outbox.sent  # what is missing is why it ends
            raise RemoteProtocolError("what follows is gone, reconnect", status=410)
        outbox.drop(after)
        return after

    def posted(self, post: Post) -> Sequence[Step]:
        """The client sends messages; those that came before are left out.

        Raises:
            RemoteProtocolError: with 409; messages before these are missing.
        """
        if self._state is not _State.OPEN:
            return ()
        first = self.received + 1 if post.first is None else post.first
        if first > self.received + 1:
            raise RemoteProtocolError("messages are missing", status=409)
        steps: list[Step] = []
        for message in post.messages[self.received + 1 - first :]:
            self.received += 1
            if isinstance(message, Bytes):
                steps.append(Emit(RECEIVE, {"bytes": message.data}))
            else:
                steps.append(Emit(RECEIVE, {"text": message}))
        if post.close is not None:
            steps.extend(self._close(post.close))
            self._state = _State.ENDED
        return steps

    def left(self, reason: str) -> Sequence[Step]:
        """The client went, or stayed away for too long."""
        steps: Sequence[Step] = ()
        if self._state in (_State.HELD, _State.OPEN):
            steps = self._close(Close(_LEFT, reason))
        self._state = _State.ENDED
        return steps

    # What the site does.

    def reply(self, content: Content) -> Sequence[Step]:
        """A consumer sent content to the reply channel.

        Raises:
            LocalProtocolError: it cannot be carried. In an answer to a connect it
                refuses the client with 500 instead.
        """
        if self._state is _State.HELD:
            try:
                return self._decide(content)
            except LocalProtocolError as error:
                report = Report(Drop.UNSUPPORTED, error.reason)
                return (report, *self._deny(500, "the site made a mistake"))
        if self._state is _State.OPEN:
            return self._act(*_read(content)[1:])
        return (Report(Drop.GONE, "the conversation has ended"),)

    def send(self, message: bytes) -> Sequence[Step]:
        """Keep a message for the client, JSON already."""
        outbox = self.outbox
        if len(outbox) >= self._max_unread or outbox.size > self._max_bytes:
            return (Report(Drop.SLOW), *self.dismissed("slow"))
        outbox.add(message)
        return _FLUSH

    def refused(self, channel: str, why: Refusal) -> Sequence[Step]:
        """An event did not get through."""
        if self._state is _State.HELD and channel == CONNECT:
            later = why in (Refusal.FULL, Refusal.UNAVAILABLE)
            headers = _RETRY_AFTER if later else []
            return self._deny(_STATUS_OF_REFUSAL[why], why, headers)
        if self._state is _State.OPEN and (code := _CLOSE_OF_REFUSAL.get(why)):
            return self._close(Close(code, str(why)))
        return ()

    def turned_away(self, limit: str, retry_after: float) -> Sequence[Step]:
        """The host keeps no peer for the client: a limit stands before it."""
        headers = [(b"retry-after", b"%d" % math.ceil(retry_after))]
        status = 503 if limit == "peers" else 429
        return self._deny(status, "too many connections", headers)

    def undecided(self) -> Sequence[Step]:
        """No consumer accepted or refused in time."""
        report = Report("undecided", "no consumer accepted or refused")
        return (report, *self._give_up(504, "nobody answered"))

    def dismissed(self, reason: str) -> Sequence[Step]:
        """The conversation must end: messages of it are lost."""
        self.outbox.clear()
        return self._stop(Close(_TRY_LATER, reason))

    def stopped(self) -> Sequence[Step]:
        """The interface server stops."""
        return self._stop(Close(_RESTARTING, "restarting"))

    def _stop(self, close: Close) -> Sequence[Step]:
        if self._state is _State.HELD:
            return self._give_up(503, close.reason)
        return self._close(close) if self._state is _State.OPEN else ()

    def _decide(self, content: Content) -> Sequence[Step]:
        accept, message, close = _read(content)
        if accept or (accept is None and message is not None):
            self._state = _State.OPEN
            return (Log("ACCEPT", 200), Accept(), *self._act(message, close))
        if accept is False or close is not None:
            code = 0 if close is None else close.code
            # 4404 and the like say the status as well.
            status = code - 4000 if 4400 <= code < 4600 else 403
            return self._deny(_STATUS_OF_CLOSE.get(code, status), "refused")
        return ()

    def _act(self, message: bytes | None, close: Close | None) -> Sequence[Step]:
        steps: list[Step] = []
        if message is not None:
            steps.extend(self.send(message))
        if close is not None and self._state is _State.OPEN:
            steps.extend(self._close(close))
        return steps

    def _close(self, close: Close) -> Sequence[Step]:
        """Say once that it has ended; the client hears of it when it asks."""
        self._state, self.closing = _State.CLOSING, close
        content = {"code": close.code, "reason": close.reason}
        log = Log("DISCONNECT", close.code)
        return (log, Emit(DISCONNECT, content), End(), Flush())

    def _give_up(self, status: int, reason: str) -> Sequence[Step]:
        """Refuse a connect that a consumer knows of, or may still get to know of."""
        event = Emit(DISCONNECT, {"code": _LEFT, "reason": reason})
        headers = _RETRY_AFTER if status == 503 else []
        return (event, *self._deny(status, reason, headers))

    def _deny(
        self, status: int, reason: str, headers: Headers | None = None
    ) -> Sequence[Step]:
        self._state = _State.ENDED
        return (Log("REFUSE", status), Deny(status, headers or [], reason), End())


def _read(content: Content) -> tuple[bool | None, bytes | None, Close | None]:
    """Return what a reply accepts, sends and closes; keys with None are absent.

    Raises:
        LocalProtocolError: it cannot be carried.
    """
    accept, text = content.get("accept"), content.get("text")
    data, code = content.get("bytes"), content.get("close")
    for key, value, kind in (
        ("accept", accept, bool),
        ("text", text, str),
        ("bytes", data, bytes),
        ("close", code, int),
    ):
        if value is not None and not isinstance(value, kind):
            name = type(value).__name__
            raise LocalProtocolError(f"{key!r} must be {kind.__name__}, not {name}")
    if text is not None and data is not None:
        raise LocalProtocolError("a message is 'text' or 'bytes', not both")
    has_message = text is not None or data is not None
    if accept is False and has_message:
        raise LocalProtocolError("a reply cannot refuse and send a message")
    close = None
    if code is not None and code is not False:
        code = 1000 if code is True else code
        if not 1000 <= code < 5000:
            raise LocalProtocolError(f"{code} is no close code")
        close = Close(code)
    return accept, wire.message(content) if has_message else None, close
