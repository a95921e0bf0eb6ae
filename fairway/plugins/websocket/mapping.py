"""The life of one WebSocket, decided: wire events and replies in, steps out.

HELD, until a consumer accepts or refuses; OPEN; CLOSING, our close frame is sent and
the client's is awaited; DRAINING, the client broke the protocol and reads our close
frame while what it sends is thrown away; ENDED, the answer to the handshake or the last
frame was sent, or the connection is gone.

`websocket.connect` is emitted for a valid handshake. `websocket.disconnect` follows it
exactly once, unless a consumer refused the connect or it never got through.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum
from typing import assert_never

from fairway.kit import (
    Content,
    Drop,
    Emit,
    Hangup,
    Headers,
    LocalProtocolError,
    Refusal,
    RemoteProtocolError,
    RequestHead,
    Site,
)
from fairway.plugins.websocket.events import (
    Abort,
    Accept,
    BytesReceived,
    Close,
    CloseReceived,
    Deny,
    EndSending,
    Failed,
    Log,
    Lost,
    PingReceived,
    PongReceived,
    Report,
    Requested,
    SendPing,
    SendPong,
    Step,
    TextReceived,
    WireEvent,
)
from fairway.plugins.websocket.handshake import (
    Handshake,
    accept_headers,
    check_headers,
    read_handshake,
)
from fairway.plugins.websocket.reply import Reply, read_reply
from fairway.plugins.websocket.spec import WebSocketConfig

__all__ = ["RECEIVE", "WebSocketMapping"]

CONNECT, RECEIVE, DISCONNECT = (
    "websocket.connect",
    "websocket.receive",
    "websocket.disconnect",
)

_NO_CODE, _NO_CLOSE = 1005, 1006
_INTERNAL_ERROR, _RESTARTING, _TRY_LATER, _TOO_BIG = 1011, 1012, 1013, 1009

_RETRY_AFTER: Headers = [(b"retry-after", b"5")]
_PLAIN_TEXT = (b"content-type", b"text/plain; charset=utf-8")
# What goes with a status of the handshake (RFC 6455, 4.4; RFC 9110, 15.5.6).
_REQUIRED = {
    405: [(b"allow", b"GET")],
    426: [(b"sec-websocket-version", b"13"), (b"upgrade", b"websocket")],
}
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
    Refusal.LIMIT: _TRY_LATER,
    Refusal.TOO_LARGE: _TOO_BIG,
    Refusal.FAILED: _INTERNAL_ERROR,
}

_DRAIN = 1.0
"""Seconds in which a client that broke the protocol may read why."""


class _State(Enum):
    HELD = "held"
    OPEN = "open"
    CLOSING = "closing"
    DRAINING = "draining"
    ENDED = "ended"


# Asked for each message: before Python 3.12 a look at a member costs more than a call.
_OPEN = _State.OPEN


class WebSocketMapping:
    """One connection, from its request on.

    Args:
        config: the section of the settings.
        site: whose hosts pages may come from.
    """

    __slots__ = (
        "_announced",
        "_config",
        "_due",
        "_handshake",
        "_heard",
        "_pinged",
        "_reading",
        "_site",
        "_state",
    )

    def __init__(self, config: WebSocketConfig, site: Site) -> None:
        self._config = config
        self._site = site
        self._state = _State.HELD
        self._handshake: Handshake | None = None
        self._announced = False
        self._reading = True
        self._due: float | None = None
        self._heard = 0.0
        self._pinged: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._state is _State.OPEN

    @property
    def is_ending(self) -> bool:
        """Whether a close frame or a refusal was sent, or the connection is gone."""
        return self._state is not _State.HELD and self._state is not _State.OPEN

    @property
    def is_over(self) -> bool:
        """Whether no event follows."""
        return self._state is not _State.HELD and not self._announced

    def message(self, event: WireEvent) -> Content | None:
        """Return the content of a `websocket.receive` that is all an event leads to.

        None where there is more to it, or another thing: that `received` says.
        """
        if self._state is _OPEN:
            if isinstance(event, TextReceived):
                return {"text": event.text}
            if isinstance(event, BytesReceived):
                return {"bytes": event.data}
        return None

    def received(self, event: WireEvent, now: float) -> Sequence[Step]:
        """Something happened on the wire."""
        content = self.message(event)
        if content is not None:
            return (Emit(RECEIVE, content),)
        match event:
            case Requested(head=head):
                return self._requested(head, now)
            case Lost(reason=reason):
                return self._end(_NO_CLOSE, reason)
            case CloseReceived(code=code, reason=reason):
                return self._closed(code, reason, now)
            case _ if self._state is not _State.OPEN:
                return ()
            case PingReceived(payload=payload):
                return (SendPong(payload),)
            case PongReceived():
                return ()
            case Failed(code=code, reason=reason):
                ended = self._end(code, reason)
                self._state, self._due = _State.DRAINING, now + _DRAIN
                # RFC 6455, 7.1.1: nothing is sent, and read until the client is gone.
                return (Close(code, reason), EndSending(), *ended)
            case TextReceived() | BytesReceived():
                return ()
            case _:
                assert_never(event)

    def heard(self, now: float) -> None:
        """Bytes arrived, whatever they say: the client lives."""
        self._heard, self._pinged = now, None

    def held(self, reading: bool, now: float) -> None:
        """Reading stopped or resumed; a pong cannot be heard meanwhile."""
        self._reading = reading
        self.heard(now)

    def reply(self, content: Content, now: float) -> Sequence[Step]:
        """A consumer sent content to the reply channel.

        Raises:
            LocalProtocolError: a WebSocket cannot carry it. In an answer to a connect
                it refuses the connection with 500 instead.
        """
        if self._state is _State.HELD:
            try:
                return self._decide(read_reply(content), now)
            except LocalProtocolError as error:
                report = Report(Drop.UNSUPPORTED, error.reason)
                return (report, *self._deny(500, b"the site made a mistake"))
        if self._state is _State.OPEN:
            return self._continue(read_reply(content), now)
        return (Report(Drop.GONE, "the connection is closing"),)

    def refused(self, channel: str, why: Refusal, now: float) -> Sequence[Step]:
        """An event did not get through."""
        if self._state is _State.HELD and channel == CONNECT:
            headers = _RETRY_AFTER if why in (Refusal.FULL, Refusal.UNAVAILABLE) else []
            return self._deny(_STATUS_OF_REFUSAL[why], why.encode(), headers)
        if self._state is _State.OPEN and (code := _CLOSE_OF_REFUSAL.get(why)):
            return self._close(Close(code, str(why)), now)
        return ()

    def turned_away(self, limit: str, retry_after: float) -> Sequence[Step]:
        """The host keeps no peer for the request: a limit stands before it."""
        headers = [(b"retry-after", b"%d" % math.ceil(retry_after))]
        status = 503 if limit == "peers" else 429
        return self._deny(status, b"too many connections", headers)

    def dismissed(self, reason: str, now: float) -> Sequence[Step]:
        """The connection must end because this server cannot go on with it."""
        if self._state is _State.HELD:
            return self._give_up(503, reason)
        if self._state is _State.OPEN:
            return self._close(Close(_TRY_LATER, reason), now)
        return ()

    def stopped(self, now: float) -> Sequence[Step]:
        """The interface server stops."""
        if self._state is _State.HELD:
            return self._give_up(503, "restarting")
        if self._state is _State.OPEN:
            return self._close(Close(_RESTARTING, "restarting"), now)
        return ()

    def next_deadline(self) -> float | None:
        """Return when `deadline_passed` wants to be called, None for never."""
        if self._state is not _State.OPEN:
            return self._due
        if not self._reading or not self._config.ping_interval:
            return None
        if self._pinged is not None:
            return self._pinged + self._config.ping_timeout
        return self._heard + self._config.ping_interval

    def deadline_passed(self, now: float) -> Sequence[Step]:
        """The deadline has passed."""
        match self._state:
            case _State.HELD:
                undecided = Report("undecided", "no consumer accepted or refused")
                return (undecided, *self._give_up(504, "nobody answered"))
            case _State.OPEN if self._pinged is None:
                self._pinged = now
                return (SendPing(),)
            case _State.OPEN:
                return (*self._end(_NO_CLOSE, "no answer to a ping"), Abort())
            case _State.CLOSING:
                return (*self._end(_NO_CLOSE, "no answer to close"), Abort())
            case _State.DRAINING:
                self._state, self._due = _State.ENDED, now + self._config.close_timeout
                return (Hangup(),)
            case _State.ENDED:
                self._due = None
                return (Abort(),)

    def _requested(self, head: RequestHead, now: float) -> Sequence[Step]:
        try:
            self._handshake = read_handshake(head, self._config, self._site)
        except RemoteProtocolError as error:
            headers = _REQUIRED.get(error.status, [])
            report = Report(Drop.INVALID, error.reason)
            return (report, *self._deny(error.status, error.reason.encode(), headers))
        self._announced = True
        self._due = now + self._config.handshake_timeout
        content = {"subprotocols": list(self._handshake.subprotocols)}
        return (Log("CONNECT"), Emit(CONNECT, content))

    def _decide(self, reply: Reply, now: float) -> Sequence[Step]:
        if reply.accept or (reply.accept is None and reply.message is not None):
            return (*self._accept(reply, now), *self._act(reply, now))
        if reply.accept is False or reply.close is not None:
            return self._refuse(reply)
        if reply.subprotocol is not None or reply.headers is not None:
            raise LocalProtocolError("'subprotocol' and 'headers' go with 'accept'")
        return ()

    def _accept(self, reply: Reply, now: float) -> Sequence[Step]:
        if self._handshake is None:
            raise LocalProtocolError("the handshake was not read yet")
        headers = accept_headers(
            self._handshake, reply.subprotocol, reply.headers or []
        )
        deflate, self._handshake = self._handshake.deflate.window_bits, None
        self._state = _State.OPEN
        self.heard(now)
        return (Log("ACCEPT", 101), Accept(headers, deflate))

    def _refuse(self, reply: Reply) -> Sequence[Step]:
        headers = check_headers(reply.headers or [])
        status = reply.status
        if status is None:
            code = None if reply.close is None else reply.close.code
            status = _STATUS_OF_CLOSE.get(code or 0, 403)
        body = b"refused" if reply.body is None else reply.body
        return self._deny(status, body, headers)

    def _continue(self, reply: Reply, now: float) -> Sequence[Step]:
        # Another `accept` asks for what is, and a status beside a close for what would
        # have been; the rest of an answer to a connect has come too late.
        late = reply.accept is False or reply.subprotocol is not None
        if late or (reply.headers is not None and reply.close is None):
            raise LocalProtocolError("the connection was accepted already")
        return self._act(reply, now)

    def _act(self, reply: Reply, now: float) -> Sequence[Step]:
        steps: list[Step] = []
        if reply.message is not None:
            steps.append(reply.message)
        if reply.close is not None:
            steps.extend(self._close(reply.close, now))
        return steps

    def _close(self, close: Close, now: float) -> Sequence[Step]:
        self._state, self._due = _State.CLOSING, now + self._config.close_timeout
        return (close,)

    def _closed(self, code: int | None, reason: str, now: float) -> Sequence[Step]:
        steps: list[Step] = []
        if self._state is _State.OPEN:
            steps.append(Close(code))
        elif self._state is not _State.CLOSING:
            return ()
        steps += self._end(_NO_CODE if code is None else code, reason)
        self._due = now + self._config.close_timeout
        return (*steps, Hangup())

    def _give_up(self, status: int, reason: str) -> Sequence[Step]:
        """Refuse a connect that a consumer knows of, or may still get to know of."""
        ended = self._end(_NO_CLOSE, reason)
        headers = _RETRY_AFTER if status == 503 else []
        return (*self._deny(status, reason.encode(), headers), *ended)

    def _deny(
        self, status: int, body: bytes, headers: Headers | None = None
    ) -> Sequence[Step]:
        # The connection stays, and is one of HTTP again.
        self._state, self._due, self._announced = _State.ENDED, None, False
        fields = list(headers or ())
        if not any(name == b"content-type" for name, _ in fields):
            fields.append(_PLAIN_TEXT)
        return (Log("REFUSE", status), Deny(status, fields, body))

    def _end(self, code: int, reason: str) -> Sequence[Step]:
        """Say once that the connection has ended."""
        announced, self._announced = self._announced, False
        self._state, self._due = _State.ENDED, None
        if not announced:
            return ()
        content = {"code": code, "reason": reason}
        return (Log("DISCONNECT", code), Emit(DISCONNECT, content))
