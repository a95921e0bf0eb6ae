"""One WebSocket on its exchange, then its stream: performs what the mapping decides."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from fairway.kit import (
    Content,
    Deadline,
    Drop,
    Emit,
    Exchange,
    Hangup,
    Host,
    LocalProtocolError,
    Peer,
    PeerRefused,
    Refusal,
    Stream,
)
from fairway.plugins.websocket.engine import Engine, EngineFactory
from fairway.plugins.websocket.events import (
    Abort,
    Accept,
    Close,
    Deny,
    EndSending,
    Log,
    Lost,
    Report,
    Requested,
    SendBytes,
    SendPing,
    SendPong,
    SendText,
    Step,
    WireEvent,
)
from fairway.plugins.websocket.frames import (
    BINARY,
    PING,
    PONG,
    TEXT,
    Frames,
    build_close,
    build_frame,
)
from fairway.plugins.websocket.mapping import RECEIVE, WebSocketMapping
from fairway.plugins.websocket.spec import WebSocketConfig

__all__ = ["Connection"]

_CUT = 8192
"""Bytes that are read before the host's word, that it is enough, is looked at."""

access = logging.getLogger("fairway.access")


class Connection:
    """One WebSocket, from its request on; the handler of its stream.

    Args:
        engine: makes what reads its frames.
        gone: called when nothing is left of it.

    Attributes:
        is_open: whether messages can be sent.
    """

    __slots__ = (
        "_config",
        "_deadline",
        "_deflate",
        "_engine",
        "_exchange",
        "_gone",
        "_host",
        "_mapping",
        "_new_engine",
        "_now",
        "_path",
        "_peer",
        "_reading",
        "_stream",
        "_unread",
        "_working",
        "client",
        "is_open",
    )

    def __init__(
        self,
        exchange: Exchange,
        config: WebSocketConfig,
        host: Host,
        *,
        engine: EngineFactory,
        gone: Callable[[Connection], None],
    ) -> None:
        self.client = exchange.head.client
        self.is_open = False
        self._config = config
        self._host = host
        self._new_engine = engine
        self._now = host.clock.now
        self._gone = gone
        self._path = exchange.head.path
        self._exchange: Exchange | None = exchange
        self._stream: Stream | None = None
        self._peer: Peer | None = None
        self._engine: Engine | None = None
        self._deflate = 0
        self._mapping = WebSocketMapping(config, host.site)
        self._deadline = Deadline(
            host.clock, self._mapping.next_deadline, self._deadline_passed
        )
        self._reading = True
        self._working = False
        self._unread = b""

    # What the protocol asks.

    def begin(self) -> None:
        """Judge the request."""
        if self._exchange is not None:
            self._exchange.on_closed(self._left)
            self._tell(Requested(self._exchange.head))

    def send(self, frames: Frames, *, may_skip: bool = False) -> None:
        """Send a message whole, unless too much waits already.

        Args:
            may_skip: whether to leave the message out then, instead of closing.
        """
        stream = self._stream
        if stream is None:
            return
        if stream.unsent_bytes <= self._host.limits.unsent_bytes:
            stream.write(frames.get(self._deflate))
        elif may_skip:
            self._host.drop(Drop.SLOW, self._peer, "skipped")
        else:
            self._host.drop(Drop.SLOW, self._peer)
            self.dismiss("slow")

    def reply(self, content: Content) -> None:
        """Do what a consumer asks for."""
        try:
            steps = self._mapping.reply(content, self._now())
        except LocalProtocolError as error:
            self._host.drop(Drop.UNSUPPORTED, self._peer, error.reason)
            return
        self._perform(steps)

    def refused(self, channel: str, why: Refusal) -> None:
        """Tell the client that its event did not get through."""
        self._perform(self._mapping.refused(channel, why, self._now()))

    def hold(self, reading: bool) -> None:
        """Stop or resume reading."""
        if not reading and self._mapping.is_ending:
            return  # nothing more is emitted, and the client's close must be seen
        self._reading = reading
        self._mapping.held(reading, self._now())
        self._read()
        wire = self._stream or self._exchange
        if wire is not None:
            wire.hold(self._reading)
        self._deadline.update()

    def dismiss(self, reason: str) -> None:
        """End the connection: this server cannot go on with it."""
        self._perform(self._mapping.dismissed(reason, self._now()))

    def stop(self) -> None:
        """End the connection: this server stops."""
        self._perform(self._mapping.stopped(self._now()))

    def stop_at(self, when: float) -> None:
        """Stop at a time, or at once while the handshake is undecided."""
        if self._mapping.is_open:
            self._host.clock.call_at(when, self.stop)
        else:
            self.stop()

    def cut(self) -> None:
        """End the connection without another word."""
        self._tell(Lost("cut"))
        self._perform((Abort(),))

    # What the stream tells.

    def received(self, data: bytes) -> None:
        """Bytes arrived."""
        self._mapping.heard(self._now())
        self._unread += data
        self._read()

    def writable(self, ready: bool) -> None:
        """The client takes less than is sent, or caught up: `send` looks itself."""

    def closed(self, reason: str) -> None:
        """The connection is gone."""
        self._exchange = self._stream = self._engine = None
        self._unread = b""
        self._tell(Lost(reason))

    # From the wire to the mapping, and from the mapping to the wire.

    def _left(self) -> None:
        if self._exchange is not None:
            self.closed("the client left")

    def _read(self) -> None:
        # Not from within itself: the host may let go of the peer while a step is done.
        if self._working or self._engine is None:
            return
        self._working = True
        try:
            while self._unread and self._reading and self._engine is not None:
                data, self._unread = self._unread[:_CUT], self._unread[_CUT:]
                for event in self._engine.received(data):
                    content = self._mapping.message(event)
                    if content is not None and self._peer is not None:
                        # Nearly always; and no deadline comes nearer by it.
                        self._host.emit(self._peer, RECEIVE, content)
                    else:
                        self._tell(event)
        finally:
            self._working = False

    def _tell(self, event: WireEvent) -> None:
        self._perform(self._mapping.received(event, self._now()))

    def _deadline_passed(self) -> None:
        try:
            self._perform(self._mapping.deadline_passed(self._now()))
        except Exception as error:
            self._deadline.cancel()  # it stands, and would be called again
            self._host.failed("deadline", error, self.client, peer=self._peer)
            self.cut()

    def _perform(self, steps: Sequence[Step]) -> None:
        # Whatever the mapping was told, what it decided comes by here.
        self.is_open = self._mapping.is_open
        for step in steps:
            self._do(step)
        if self._mapping.is_over:
            if self._peer is not None and self._peer.open:
                self._host.close_peer(self._peer)
            if self._exchange is None and self._stream is None:
                self._deadline.cancel()
                self._gone(self)
                self._peer = None
                return
        self._deadline.update()

    def _do(self, step: Step) -> None:
        match step:
            case Emit(channel=channel, content=content):
                self._emit(channel, content)
            case SendText(text=text):
                self.send(Frames(TEXT, text.encode()))
            case SendBytes(data=data):
                self.send(Frames(BINARY, data))
            case SendPong(payload=payload):
                self._pong(payload)
            case SendPing():
                self._write(build_frame(PING, b""))
            case Close(code=code, reason=reason):
                self._write(build_close(code, reason))
                self.hold(True)
            case Accept():
                self._accept(step)
            case Deny():
                self._deny(step)
            case EndSending():
                if self._stream is not None:
                    self._stream.half_close()
            case Hangup():
                if self._stream is not None:
                    self._stream.close()
            case Abort():
                wire = self._stream or self._exchange
                if wire is not None:
                    wire.abort()
            case Log(what=what, status=status):
                self._log(what, status)
            case Report(reason=reason, detail=detail):
                self._host.drop(reason, self._peer, detail)

    def _emit(self, channel: str, content: Content) -> None:
        if self._peer is None and self._exchange is not None:
            try:
                self._peer = self._host.open_peer(
                    self, client=self.client, head=self._exchange.head
                )
            except PeerRefused as refusal:
                self._perform(
                    self._mapping.turned_away(refusal.limit, refusal.retry_after)
                )
                return
        self._host.emit(self._peer, channel, content)

    def _accept(self, step: Accept) -> None:
        if self._exchange is None:
            return
        exchange, self._exchange = self._exchange, None
        self._deflate = step.deflate
        self._engine = self._new_engine(self._config.max_message, step.deflate > 0)
        try:
            exchange.upgrade(step.headers, self._upgraded)
        except LocalProtocolError as error:
            self._host.drop(Drop.FAILED, self._peer, error.reason)
            exchange.abort()
            self.closed("the connection could not be upgraded")

    def _upgraded(self, stream: Stream) -> Connection:
        self._stream = stream
        if not self._reading:
            stream.hold(False)
        return self

    def _deny(self, step: Deny) -> None:
        if self._exchange is None:
            return
        exchange, self._exchange = self._exchange, None
        try:
            exchange.respond(step.status, step.headers, step.body)
        except LocalProtocolError as error:
            self._host.drop(Drop.FAILED, self._peer, error.reason)
            exchange.abort()

    def _pong(self, payload: bytes) -> None:
        # Pings cost their sender as much as pongs cost us, if it takes them.
        if self._is_slow():
            self.dismiss("slow")
        else:
            self._write(build_frame(PONG, payload))

    def _write(self, frame: bytes) -> None:
        if self._stream is not None:
            self._stream.write(frame)

    def _is_slow(self) -> bool:
        stream = self._stream
        limit = self._host.limits.unsent_bytes
        return stream is not None and stream.unsent_bytes > limit

    def _log(self, what: str, status: int | None) -> None:
        if access.isEnabledFor(logging.INFO):
            path = ascii(self._path)[1:-1]
            shown = "" if status is None else f" {status}"
            extra = {
                "protocol": "websocket",
                "what": what,
                "path": self._path,
                "client": self.client,
                "status": status,
                "peer": None if self._peer is None else self._peer.id,
            }
            access.info("%s %s%s", what, path, shown, extra=extra)
