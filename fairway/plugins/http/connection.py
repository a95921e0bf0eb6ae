"""One connection: its stream, its mapping, and whatever carries out the steps."""

from __future__ import annotations

import logging
import typing
from collections.abc import Callable, Iterable

from fairway.kit import (
    Content,
    Deadline,
    Drop,
    Hangup,
    Headers,
    Host,
    LocalProtocolError,
    MountPoint,
    Peer,
    PeerRefused,
    Refusal,
    Stream,
    StreamHandler,
    Write,
)
from fairway.plugins.http import steps as do
from fairway.plugins.http.exchange import HttpExchange
from fairway.plugins.http.mapping import HttpMapping
from fairway.plugins.http.outflow import IN_MEMORY, Outflow
from fairway.plugins.http.pace import Rate
from fairway.plugins.http.spec import HttpConfig
from fairway.plugins.http.spool import Spool, Spools

__all__ = ["Held", "HttpConnection"]

access = logging.getLogger("fairway.access")


class Owner(typing.Protocol):
    """What carries the connections of one process."""

    @property
    def host(self) -> Host:
        """The host."""

    @property
    def config(self) -> HttpConfig:
        """The section."""

    @property
    def spools(self) -> Spools:
        """What waits on disk."""

    def is_proxy(self, stream: Stream) -> bool:
        """Return whether a trusted proxy is at the other end."""

    def forget(self, connection: HttpConnection) -> None:
        """Drop a connection that has ended, or speaks something else."""


class Held:
    """Who does not want the connection to be read: bits, and plain numbers, for each
    operation on flags of an enum costs as much as a header line."""

    MAPPING = 1
    HOST = 2
    MOUNT = 4
    DISK = 8
    RATE = 16


class HttpConnection:
    """One stream and its mapping; a handle of peers, an owner of exchanges."""

    __slots__ = (
        "_accept",
        "_counted",
        "_deadline",
        "_exchange",
        "_held",
        "_mapping",
        "_performing",
        "_point",
        "_protocol",
        "_rate",
        "_spool",
        "_todo",
        "_upgraded",
        "now",
        "outflow",
        "peer",
        "stream",
    )

    def __init__(self, protocol: Owner, stream: Stream, mapping: HttpMapping) -> None:
        self.stream = stream
        self.now = protocol.host.clock.now
        self.peer: Peer | None = None
        """The current request's, once a consumer may know of it."""
        limits = protocol.host.limits
        self.outflow = Outflow(
            self,
            stream,
            protocol.spools,
            protocol.config.spool_response,
            memory=min(IN_MEMORY, limits.unsent_bytes),
        )
        self._protocol = protocol
        self._mapping = mapping
        self._deadline = Deadline(
            protocol.host.clock, mapping.next_deadline, self._deadline_passed
        )
        self._exchange: HttpExchange | None = None
        self._accept: Callable[[Stream], StreamHandler] | None = None
        self._upgraded: StreamHandler | None = None
        self._point: MountPoint | None = None
        self._spool: Spool | None = None
        self._held = 0
        self._rate = Rate(limits.messages_per_second)
        # Whether the limit of handshakes has seen this connection.
        self._counted = protocol.is_proxy(stream)
        self._performing = False
        self._todo: list[do.HttpStep] = []
        mapping.opened(self.now())
        self._deadline.update()

    # What the stream says.

    def received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._upgraded is None:
            self.perform(self._mapping.received(data, self.now()))
            return
        try:
            self._upgraded.received(data)
        except Exception as error:
            self._mount_failed("received", error)
            self.stream.abort()

    def writable(self, ready: bool) -> None:
        """The client takes less than is sent, or caught up."""
        if self._upgraded is None:
            self.outflow.writable(ready)
            return
        try:
            self._upgraded.writable(ready)
        except Exception as error:
            self._mount_failed("writable", error)
            self.stream.abort()

    def closed(self, reason: str) -> None:
        """The stream has ended."""
        if self._upgraded is not None:
            try:
                self._upgraded.closed(reason)
            except Exception as error:
                self._mount_failed("closed", error)
            self._let_go()
            return
        exchange, self._exchange = self._exchange, None
        self.perform(self._mapping.closed(self.now()))
        self._let_go()
        self._protocol.forget(self)
        if exchange is not None:
            exchange.left()

    def _let_go(self) -> None:
        self._deadline.cancel()
        self.outflow.end()

    # What the host says.

    def reply(self, content: Content) -> None:
        """A consumer sent content."""
        peer = self.peer
        try:
            steps = self._mapping.reply(content, self.now(), room=self.outflow.room())
        except LocalProtocolError as error:
            self._protocol.host.drop(Drop.UNSUPPORTED, peer, str(error))
            steps = self._mapping.failed(self.now())
        self.perform(steps)

    def refused(self, why: Refusal) -> None:
        """The request's event did not get through."""
        self.perform(self._mapping.refused(why, self.now()))

    def unanswered(self, why: str) -> None:
        """Nobody will answer the request."""
        if steps := self._mapping.unanswered(self.now()):
            self._protocol.host.drop(why, self.peer)
            self.perform(steps)

    def disconnect(self, reason: str) -> None:
        """A reply to the request was lost: only a cut tells of one in the middle."""
        self.perform(self._mapping.unanswered(self.now()) or [do.Abort(reason)])

    def stop(self, idle: float) -> None:
        """Answer what is in flight and what arrives in `idle` seconds, nothing more."""
        self.perform(self._mapping.stop(self.now(), idle))

    def hold(self, held: int, reading: bool) -> None:
        """Stop or resume reading for some of several reasons.

        Args:
            held: bits of `Held`.
        """
        before = self._held
        self._held = before & ~held if reading else before | held
        if bool(before) != bool(self._held):
            self.stream.hold(not self._held)

    # What the exchange asks for.

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the client did not take yet."""
        return self.outflow.backlog

    def want_body(self, limit: int) -> None:
        """Read the body."""
        self.perform(self._mapping.want_body(limit, self.now()))

    def begin_answer(self, status: int, headers: Headers, body: bytes | None) -> None:
        """Answer."""
        self.perform(self._mapping.begin_answer(status, headers, body, self.now()))

    def add_part(self, data: bytes, *, last: bool) -> None:
        """Continue the answer."""
        self.perform(self._mapping.add_part(data, self.now(), last=last))

    def switch(
        self, headers: Headers, accept: Callable[[Stream], StreamHandler]
    ) -> None:
        """Hand the stream over.

        Raises:
            LocalProtocolError: an earlier answer waits for the client; the stream does
                not know of it.
        """
        if self.outflow.is_on_disk:
            raise LocalProtocolError("the client has not read the answers before")
        self._accept = accept
        self.perform(self._mapping.switch(headers, self.now()))

    def abort(self, reason: str) -> None:
        """Cut the connection."""
        self.perform([do.Abort(reason)])

    def hold_exchange(self, reading: bool) -> None:
        """Stop or resume reading."""
        self.hold(Held.MOUNT, reading)

    # What the outflow and the disk say.

    def has_room(self) -> None:
        """More of an answer can be kept."""
        self.perform(self._mapping.room())

    def outflow_failed(self, reason: str) -> None:
        """What was to be kept for the client is lost."""
        self._protocol.host.drop(Drop.SLOW, self.peer, reason)
        self.perform([do.Abort(reason)])

    def _spool_changed(self) -> None:
        self.hold(Held.DISK, self._spool is None or not self._spool.is_behind)

    def _spool_failed(self, reason: str) -> None:
        self._protocol.host.log.error("a body cannot be kept on disk: %s", reason)
        self.perform(self._mapping.disk_failed(self.now()))

    def _flushed(self) -> None:
        self.perform(self._mapping.flushed(self.now()))

    def _fetched(self, data: bytes) -> None:
        self.perform(self._mapping.fetched(data))

    def _deadline_passed(self) -> None:
        backlog = self.outflow.backlog
        try:
            self.perform(self._mapping.deadline_passed(self.now(), backlog))
        except Exception as error:
            self._deadline.cancel()  # it stands, and would be called again
            host = self._protocol.host
            host.failed("deadline", error, self.stream.client, peer=self.peer)
            self.stream.abort()

    # Effects.

    def perform(self, steps: Iterable[do.HttpStep]) -> None:
        """Carry out steps in order, also those that come up meanwhile."""
        todo = self._todo
        todo += steps
        if self._performing:
            return
        self._performing = True
        try:
            for step in todo:  # as it grows
                # Those of nearly all requests: a class that `match` tries is a call.
                if type(step) is Write:
                    self.outflow.write(step.data)
                elif type(step) is do.Dispatch:
                    self._dispatch(step)
                elif type(step) is do.Open:
                    self._open(step)
                elif type(step) is do.End:
                    self._end(step)
                else:
                    self._perform(step)
        finally:
            todo.clear()
            self._performing = False
        self._deadline.update()

    def _perform(self, step: do.HttpStep) -> None:
        host = self._protocol.host
        match step:
            case do.Hold(reading=reading):
                self.hold(Held.MAPPING, reading)
            case do.Send(channel=channel, content=content):
                host.send(channel, content)
            case do.Fetch(size=size) if self._spool is not None:
                self._spool.read(size, self._fetched)
            case do.Store(data=data):
                self._store(data)
            case do.Flush() if self._spool is not None:
                self._spool.flush(self._flushed)
            case do.Feed(data=data) if self._exchange is not None:
                self._exchange.fed(data)
            case do.EndBody(failure=failure) if self._exchange is not None:
                self._exchange.body_ended(failure)
            case do.Switch(rest=rest):
                self._switch(rest)
            case do.Leave(channel=channel) if self.peer is not None:
                host.emit(self.peer, channel, {})
            case do.Unreadable(status=status):
                host.drop(Drop.INVALID, None, f"answered with {status}")
            case do.Skipped(count=count):
                host.drop("header_name", self.peer, f"{count} with an underscore")
            case do.Linger():
                self.outflow.half_close()
            case Hangup():
                self.outflow.close()
            case do.Abort():
                self.outflow.discard()
                self.stream.abort()

    def _dispatch(self, step: do.Dispatch) -> None:
        if wait := self._rate.take(self.now()):
            self._slow_down(wait)
        host = self._protocol.host
        try:
            self.peer = host.open_peer(
                self,
                client=step.head.client,
                head=step.head,
                handshake=not self._counted,
            )
        except PeerRefused as refused:
            full = refused.limit == "peers"
            self.perform(self._mapping.not_admitted(full, self.now()))
            return
        self._counted = True
        host.emit(self.peer, step.channel, step.content)

    def _slow_down(self, seconds: float) -> None:
        """Do not read for a while: there were more requests than the rate allows."""
        if not self._held & Held.RATE:
            self.hold(Held.RATE, False)
            clock = self._protocol.host.clock
            clock.call_at(self.now() + seconds, lambda: self.hold(Held.RATE, True))

    def _end(self, end: do.End) -> None:
        peer, released = self.peer, 0
        if self.peer is not None:
            self._protocol.host.close_peer(self.peer)
            self.peer = None
            released |= Held.HOST  # nobody takes it back for a closed peer
        if self._spool is not None:
            self._spool.discard()
            self._spool = None
            released |= Held.DISK
        if self._exchange is not None:
            self._exchange.ended()
            self._exchange = None
            released |= Held.MOUNT
        if self._held & released:
            self.hold(released, True)
        if access.isEnabledFor(logging.INFO):
            _log_access(end, peer)

    def _store(self, data: bytes) -> None:
        spools = self._protocol.spools
        if self._spool is None:
            self._spool = spools.open(
                self._protocol.config.max_body, self._spool_changed, self._spool_failed
            )
        self._spool.append(data)
        if spools.on_disk > spools.limit:
            self._spool_failed("all spools together have what they may have")
        else:
            self._spool_changed()

    def _open(self, step: do.Open) -> None:
        if wait := self._rate.take(self.now()):
            self._slow_down(wait)
        self._point = step.point
        exchange = self._exchange = HttpExchange(self, step.head)
        try:
            step.point.open(exchange)
        except Exception as error:  # its client's other requests go on
            self._mount_failed("open", error)
            if self._exchange is exchange:
                self.perform(self._mapping.failed(self.now()))

    def _switch(self, rest: bytes) -> None:
        accept, self._accept = self._accept, None
        assert accept is not None
        self._deadline.cancel()
        self._protocol.forget(self)
        self.hold(Held.RATE, True)
        try:
            self._upgraded = accept(self.stream)
        except PeerRefused:
            self.stream.abort()
            return
        except Exception as error:
            self._mount_failed("accept", error)
            self.stream.abort()
            return
        if rest:
            self.received(rest)

    def _mount_failed(self, method: str, error: Exception) -> None:
        plugin = "" if self._point is None else self._point.plugin
        client = self.stream.client
        self._protocol.host.failed(method, error, client, plugin=plugin)


def _log_access(end: do.End, peer: Peer | None) -> None:
    # Neither can hold a control byte: the parser refuses them.
    path = end.path.decode("ascii")
    own = None if peer is None else peer.id.partition(":")[2]
    access.info(
        "%s %s %d %.3f s %s",
        end.method,
        path,
        end.status,
        end.seconds,
        end.client,
        extra={
            "protocol": "http",
            "what": end.method,
            "path": path,
            "status": end.status,
            "seconds": end.seconds,
            "client": end.client,
            "peer": None if peer is None else peer.id,
            "request_id": end.request_id or own,
        },
    )
