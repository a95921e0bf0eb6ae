"""One conversation and its requests: performs what the mapping decides."""

from __future__ import annotations

import logging
import typing
from collections.abc import Sequence

import msgspec

from fairway.kit import (
    Content,
    Drop,
    Emit,
    Host,
    LocalProtocolError,
    Peer,
    PeerRefused,
    Refusal,
    RemoteProtocolError,
    RequestHead,
)
from fairway.plugins.longpoll import wire
from fairway.plugins.longpoll.mapping import (
    Accept,
    Deny,
    End,
    Flush,
    Log,
    LongPollMapping,
    Report,
    Step,
)
from fairway.plugins.longpoll.spec import LongPollConfig
from fairway.plugins.longpoll.waits import Waits
from fairway.plugins.longpoll.ways import Way
from fairway.plugins.longpoll.wire import Post

__all__ = ["Session", "Sessions"]

_RESUME_BYTES = 64 * 1024
_BUSY = [(b"retry-after", b"1")]

access = logging.getLogger("fairway.access")


class Sessions(typing.Protocol):
    """Who keeps all conversations of a server."""

    host: Host
    config: LongPollConfig
    held: Waits[Session]
    absent: Waits[Session]
    waiting: Waits[Session]
    told: Waits[Session]
    is_stopping: bool

    def token(self, session: Session) -> str:
        """Return what stands for a conversation."""

    def flush_soon(self, session: Session) -> None:
        """Call `flush` in the next turn of the loop."""

    def forget(self, session: Session) -> None:
        """Nothing is left of a conversation."""


class Session:
    """One conversation; the handle of its peer."""

    __slots__ = (
        "_after",
        "_all",
        "_asking",
        "_awaits",
        "_mapping",
        "_path",
        "_pending",
        "_reading",
        "_receiver",
        "_streams",
        "client",
        "id",
        "is_dirty",
        "peer",
        "token",
    )

    def __init__(self, all_: Sessions, asking: Way) -> None:
        self._all = all_
        limits = all_.host.limits
        self._mapping = LongPollMapping(all_.config.max_unread, limits.unsent_bytes)
        self._asking: Way | None = asking
        """The request that waits for a consumer's word."""
        self._receiver: Way | None = None
        """The request that takes messages."""
        self._streams = False
        self._after = 0
        self._reading = True
        self._pending: tuple[Post, Way] | None = None
        self._awaits: Waits[Session] | None = None
        self._path = ""
        self.is_dirty = False
        self.id = self.client = ""
        self.token = ""
        """What stands for it, once it was accepted."""
        self.peer: Peer | None = None

    # What the client asks for.

    def begin(self, head: RequestHead, path: str) -> None:
        """Ask consumers for the conversation.

        Args:
            path: what events carry.
        """
        assert self._asking is not None
        self.client, self._path = head.client, path
        own = msgspec.structs.replace(head, path=path)
        try:
            self.peer = self._all.host.open_peer(self, client=head.client, head=own)
        except PeerRefused as refusal:
            self._perform(self._mapping.turned_away(refusal.limit, refusal.retry_after))
            return
        self.id = self.peer.reply_channel.rpartition("!")[2]
        self._asking.on_left(self._asking_left)
        self._wait(self._all.held)
        self._perform(self._mapping.requested())

    def poll(self, way: Way, after: int | None, *, stream: bool) -> None:
        """Let a request wait for messages, in place of an earlier one.

        Raises:
            RemoteProtocolError: it cannot be told what follows.
        """
        self._after = self._mapping.polled(after)
        earlier, self._receiver = self._receiver, None
        if earlier is not None:
            self._put_off(earlier, 409)
        self._streams = stream
        self._receiver = way
        way.on_left(lambda: self._left(way))
        if stream:
            way.start()
            way.write(wire.BEAT)
        self._wait(self._all.waiting)
        self.flush()

    def post(self, way: Way, post: Post) -> None:
        """Take messages; while workers are behind, when they have caught up."""
        if not self._reading:
            if self._pending is None:
                self._pending = post, way
            else:
                way.respond(429, wire.answer(error="one POST at a time"), _BUSY)
            return
        try:
            steps = self._mapping.posted(post)
        except RemoteProtocolError as error:
            received = self._mapping.received
            body = wire.answer(error=error.reason, received=received)
            way.respond(error.status, body)
            return
        way.respond(200, wire.answer(received=self._mapping.received))
        self._perform(steps)

    # What the protocol asks.

    def send(self, message: bytes) -> None:
        """Send a message, JSON already, or do what an earlier state asks for."""
        self._perform(self._mapping.send(message))

    @property
    def is_held(self) -> bool:
        """Whether no consumer has decided yet."""
        return self._mapping.is_held

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._mapping.is_open

    def reply(self, content: Content) -> None:
        """Do what a consumer asks for."""
        try:
            steps = self._mapping.reply(content)
        except LocalProtocolError as error:
            self._all.host.drop(Drop.UNSUPPORTED, self.peer, error.reason)
            return
        self._perform(steps)

    def refused(self, channel: str, why: Refusal) -> None:
        """Tell the client that its event did not get through."""
        self._perform(self._mapping.refused(channel, why))

    def hold(self, reading: bool) -> None:
        """Take no more messages, or go on."""
        self._reading = reading
        if reading and self._pending is not None:
            (post, way), self._pending = self._pending, None
            self.post(way, post)

    def dismiss(self, reason: str) -> None:
        """End it with 1013: something of it is lost."""
        self._perform(self._mapping.dismissed(reason))

    def stop(self) -> None:
        """End it: this server stops."""
        self._perform(self._mapping.stopped())

    def undecided(self) -> None:
        """The handshake took too long."""
        self._perform(self._mapping.undecided())

    def leave(self, reason: str) -> None:
        """The client is gone, or has heard all."""
        receiver, self._receiver = self._receiver, None
        self._perform(self._mapping.left(reason))
        if receiver is not None:
            self._put_off(receiver, 410)
        self._end()

    def cut(self) -> None:
        """End it, whatever state it is in."""
        if self.peer is not None:
            self._all.host.close_peer(self.peer)
        receiver, self._receiver = self._receiver, None
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.respond(500, wire.answer(error="failed"))
        self._drop_pending()
        if receiver is not None:
            self._put_off(receiver, 410)

    def stay_away(self) -> None:
        """The client did not ask for too long."""
        self.leave("the client stayed away")

    def wait_no_longer(self) -> None:
        """Nothing is left that could happen to it in time."""
        if self._awaits is not None:
            self._awaits.end(self)
            self._awaits = None

    def beat(self) -> None:
        """The request has waited long enough: answer it, or show a sign of life."""
        way = self._receiver
        if way is None:
            return
        if self._streams and not way.is_remote:
            way.write(wire.BEAT)
            self._wait(self._all.waiting)
            return
        self._receiver = None
        if self._streams:
            way.finish()
        else:
            way.respond(200, wire.poll_answer(0, [], None))
        self._wait(self._all.absent)

    def flush(self) -> None:
        """Hand out what waits."""
        self.is_dirty = False
        way, mapping = self._receiver, self._mapping
        if way is None:
            return
        outbox = mapping.outbox
        messages = outbox.take(self._after)
        if not messages and mapping.closing is None:
            return
        first = self._after + 1
        self._after = outbox.sent
        if not self._streams:
            self._receiver = None
            way.respond(200, wire.poll_answer(first, messages, mapping.closing))
        elif way.unsent_bytes > self._all.host.limits.unsent_bytes:
            self._all.host.drop(Drop.SLOW, self.peer)
            self._receiver = None
            way.finish()
            self.dismiss("slow")
        else:
            self._stream(way, first, messages)
        self._handed_out()

    def _stream(self, way: Way, first: int, messages: Sequence[bytes]) -> None:
        events = [wire.event(first + n, one) for n, one in enumerate(messages)]
        closing = self._mapping.closing
        if closing is not None:
            events.append(wire.close_event(closing))
        way.write(b"".join(events))
        # What a client of a stream has is known only when it comes back.
        # It must leave room for what is new.
        config, room = self._all.config, self._all.host.limits.unsent_bytes // 2
        count = min(config.resume_messages, config.max_unread // 2)
        self._mapping.outbox.trim(count, min(_RESUME_BYTES, room))
        if closing is not None:
            self._receiver = None
            way.finish()

    def _handed_out(self) -> None:
        if self._receiver is not None:
            return  # a stream goes on
        if self._mapping.closing is None:
            self._wait(self._all.absent)
        elif self._all.is_stopping:
            self._end()
        elif not self._mapping.is_ended:
            self._wait(self._all.told)

    # Inside.

    def _asking_left(self) -> None:
        if self._asking is not None:
            self._asking = None
            self.leave("the client left")

    def _left(self, way: Way) -> None:
        if self._receiver is way:
            self._receiver = None
            ended = self._mapping.closing is not None
            self._wait(self._all.told if ended else self._all.absent)

    def _put_off(self, way: Way, status: int) -> None:
        """End a request that is not to wait any longer."""
        if self._streams:
            way.finish()
        else:
            error = "another request waits" if status == 409 else "gone, reconnect"
            way.respond(status, wire.answer(error=error))

    def _perform(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self._do(step)
        if self._mapping.is_ended and self._asking is None:
            self._end()

    def _do(self, step: Step) -> None:
        host = self._all.host
        match step:
            case Flush():
                if not self.is_dirty and self._receiver is not None:
                    self.is_dirty = True
                    self._all.flush_soon(self)
            case Emit(channel=channel, content=content):
                if self.peer is not None:
                    host.emit(self.peer, channel, content)
            case Accept():
                self._accept()
            case Deny():
                self._deny(step)
            case End():
                if self.peer is not None:
                    host.close_peer(self.peer)
            case Log(what=what, status=status):
                self._log(what, status)
            case Report(reason=reason, detail=detail):
                host.drop(reason, self.peer, detail)

    def _accept(self) -> None:
        config = self._all.config
        self._wait(self._all.absent)
        self.token = self._all.token(self)
        body = wire.answer(
            token=self.token,
            poll=config.poll_timeout,
            idle=config.idle_timeout,
        )
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.respond(200, body)

    def _deny(self, step: Deny) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            body = wire.answer(error=step.reason)
            asking.respond(step.status, body, step.headers)

    def _wait(self, queue: Waits[Session]) -> None:
        self.wait_no_longer()
        self._awaits = queue
        queue.begin(self, self._all.host.clock.now())

    def _end(self) -> None:
        self._drop_pending()
        if self._receiver is not None:
            self.flush()
        self._all.forget(self)

    def _drop_pending(self) -> None:
        if self._pending is not None:
            (_, way), self._pending = self._pending, None
            way.respond(410, wire.answer(error="gone, reconnect"))

    def _log(self, what: str, status: int | None) -> None:
        if access.isEnabledFor(logging.INFO):
            path = ascii(self._path)[1:-1]
            shown = "" if status is None else f" {status}"
            extra = {
                "protocol": "longpoll",
                "what": what,
                "path": self._path,
                "client": self.client,
                "status": status,
                "peer": None if self.peer is None else self.peer.id,
            }
            access.info("%s %s%s", what, path, shown, extra=extra)
