"""All long-poll conversations of an interface server, on requests of http."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from fairway.kit import (
    BaseProtocol,
    Content,
    Drop,
    Exchange,
    Host,
    Peer,
    Refusal,
    RemoteProtocolError,
    Timer,
    check_origin,
)
from fairway.plugins.longpoll import tokens, wire
from fairway.plugins.longpoll.cors import preflight_headers
from fairway.plugins.longpoll.mapping import plain_message
from fairway.plugins.longpoll.relay import Relay
from fairway.plugins.longpoll.session import Session
from fairway.plugins.longpoll.spec import LongPollConfig
from fairway.plugins.longpoll.waits import Waits
from fairway.plugins.longpoll.ways import LocalWay, RemoteWay, Way

__all__ = ["LongPollProtocol"]

_SWEEP_EVERY = 1.0
_STOPS_WITHIN = 5.0
"""Seconds in which clients that are between two requests hear that the server stops."""
_BEGINS_WITH = 1_024
"""Bytes of the POST that begins a conversation; `{}` is all that it may say."""
_PREFLIGHT = "OPTIONS"


class LongPollProtocol(BaseProtocol[LongPollConfig]):
    """Finds the conversations of requests and of peers."""

    def __init__(self, config: LongPollConfig, host: Host) -> None:
        super().__init__(config, host)
        self.held: Waits[Session] = Waits(config.handshake_timeout)
        self.absent: Waits[Session] = Waits(config.idle_timeout)
        self.waiting: Waits[Session] = Waits(config.poll_timeout)
        self.told: Waits[Session] = Waits(config.close_timeout)
        self.is_stopping = False
        self._sessions: dict[str, Session] = {}
        self._dirty: list[Session] = []
        self._relay = Relay(
            host,
            unheard=config.relay_timeout,
            longest=config.poll_timeout,
            asked=self._asked,
        )
        self._sweeping: Timer | None = None
        self._all_gone = asyncio.Event()

    async def start(self) -> None:
        """Begin to look for those whose time is over."""
        self._sweep()

    # Requests.

    def open(self, exchange: Exchange) -> None:
        """Take a request; the mount's `open`."""
        head, site = exchange.head, self.host.site
        try:
            origin = check_origin(head, self.config.allowed_origins, site)
        except RemoteProtocolError as error:
            _refuse(LocalWay(exchange, None), error)
            return
        way = LocalWay(exchange, origin)
        try:
            if head.method == _PREFLIGHT:
                way.respond(204, b"", preflight_headers())
            elif head.method == "POST":
                self._check_type(exchange)
                token = wire.read_token(head)
                address = self._address(token) if token else None
                self.host.spawn(self._post(exchange, way, address))
            elif head.method == "GET":
                self._poll(exchange, way)
            else:
                raise RemoteProtocolError("GET or POST", status=405)
        except RemoteProtocolError as error:
            _refuse(way, error)

    def _check_type(self, exchange: Exchange) -> None:
        # A type that forms cannot send: a browser asks before it lets a page of another
        # site do so, whatever it says of the origin.
        kind = exchange.head.header(b"content-type") or b""
        if kind.partition(b";")[0].strip().lower() != b"application/json":
            raise RemoteProtocolError("send application/json", status=415)

    async def _post(
        self, exchange: Exchange, way: LocalWay, address: tokens.Address | None
    ) -> None:
        # Who has no token has nothing to say yet that would be worth the memory.
        most = _BEGINS_WITH if address is None else self.config.max_body
        try:
            body = await exchange.body(most)
        except RemoteProtocolError as error:  # http has answered it, or the client left
            self.host.log.info("%s: %s", exchange.head.client, error)
            return
        try:
            if address is None:
                self._begin(exchange, body, way)
            elif self._relay.is_mine(address.door):
                self._posted(address.session, body, way)
            else:
                self._relay.ask(address, {"post": body}, way)
        except RemoteProtocolError as error:
            _refuse(way, error)
        except Exception as error:
            self.host.failed("open", error, exchange.head.client)
            way.respond(500, wire.answer(error="failed"))

    def _begin(self, exchange: Exchange, body: bytes, way: LocalWay) -> None:
        if self.is_stopping:
            raise RemoteProtocolError("restarting", status=503)
        if wire.read_post(body, self.config.max_messages) != wire.Post():
            raise RemoteProtocolError("a new conversation has no messages", status=400)
        session = Session(self, way)
        path = exchange.head.path.removeprefix(self.config.path)
        session.begin(exchange.head, "/" + path)
        if session.peer is not None and session.peer.open:
            self._sessions[session.id] = session

    def _poll(self, exchange: Exchange, way: LocalWay) -> None:
        head = exchange.head
        token = wire.read_token(head)
        if not token:
            raise RemoteProtocolError("POST begins a conversation", status=400)
        address = self._address(token)
        after, stream = wire.read_after(head), wire.wants_stream(head)
        if self._relay.is_mine(address.door):
            self._polled(address.session, way, after, stream=stream)
        else:
            asked = {"after": after, "poll": "stream" if stream else "once"}
            self._relay.ask(address, asked, way)

    def _address(self, token: str) -> tokens.Address:
        known = self._sessions.get(tokens.session_of(token))
        if known is not None and tokens.is_same(token, known.token):
            return tokens.Address(self._relay.door, known.id)
        address = tokens.verify(token, self.host.site.key)
        if address is None:
            raise RemoteProtocolError("not a token of this site", status=403)
        return address

    def _polled(
        self, session: str, way: Way, after: int | None, *, stream: bool
    ) -> None:
        self._find(session).poll(way, after, stream=stream)

    def _posted(self, session: str, body: bytes, way: Way) -> None:
        post = wire.read_post(body, self.config.max_messages)
        self._find(session).post(way, post)

    def _find(self, session: str) -> Session:
        found = self._sessions.get(session)
        if found is None or found.is_held:
            raise RemoteProtocolError("gone, reconnect", status=410)
        return found

    def _asked(self, session: str, content: Content, way: RemoteWay) -> None:
        """Answer a request that another server holds."""
        way.hold()
        try:
            if "post" in content:
                self._posted(session, content["post"], way)
            else:
                stream = content["poll"] == "stream"
                self._polled(session, way, content["after"], stream=stream)
        except RemoteProtocolError as error:
            _refuse(way, error)

    # What the host says.

    def deliver(self, peers: Sequence[Peer], content: Content) -> None:
        """Send a reply; a message for many is encoded once."""
        message = plain_message(content)
        for peer in peers:
            session = peer.handle
            if not isinstance(session, Session):  # the door, which no consumer knows
                self.host.drop(Drop.GONE, peer)
                continue
            try:
                if message is not None and session.is_open:
                    session.send(message)
                else:
                    session.reply(content)
            except Exception as error:
                self._cut(session, "deliver", error)

    def refuse(
        self, peer: Peer | None, channel: str, content: Content, why: Refusal
    ) -> None:
        """Refuse the client, or end its conversation."""
        if peer is not None:
            peer.handle.refused(channel, why)

    def hold(self, peer: Peer, reading: bool) -> None:
        """Take no more messages, or go on."""
        peer.handle.hold(reading)

    def disconnect(self, peer: Peer, reason: str) -> None:
        """End a conversation with 1013."""
        if isinstance(peer.handle, Session):
            peer.handle.dismiss(reason)

    def forwarded(self, peer: Peer, content: Content) -> None:
        """Take what another server sent to the door."""
        self._relay.forwarded(content)

    def figures(self) -> Mapping[str, float]:
        """Return how many requests wait."""
        return {"waiting": len(self.waiting)}

    async def stop(self, grace: float) -> None:
        """Answer all requests at once; their clients begin again elsewhere."""
        self.is_stopping = True
        for session in list(self._sessions.values()):
            session.stop()
        self._flush()
        if self._sessions and grace:
            clock = self.host.clock
            within = min(grace / 2, _STOPS_WITHIN)
            timer = clock.call_at(clock.now() + within, self._all_gone.set)
            await self._all_gone.wait()
            timer.cancel()
        for session in list(self._sessions.values()):
            session.leave("restarting")
        self._relay.stop()
        if self._sweeping is not None:
            self._sweeping.cancel()

    # What conversations ask for.

    def token(self, session: Session) -> str:
        """Return what stands for a conversation."""
        address = tokens.Address(self._relay.door, session.id)
        return tokens.issue(address, self.host.site.key)

    def flush_soon(self, session: Session) -> None:
        """Hand out what waits, in the next turn of the loop: one answer for all."""
        if not self._dirty:
            asyncio.get_running_loop().call_soon(self._flush)
        self._dirty.append(session)

    def forget(self, session: Session) -> None:
        """Drop a conversation that has ended."""
        self._sessions.pop(session.id, None)
        session.wait_no_longer()
        if self.is_stopping and not self._sessions:
            self._all_gone.set()

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for session in dirty:
            self._safely(session, session.flush, "deliver")

    def _sweep(self) -> None:
        now = self.host.clock.now()
        for session in self.held.over(now):
            self._safely(session, session.undecided)
        for session in self.waiting.over(now):
            self._safely(session, session.beat)
        for queue in (self.absent, self.told):
            for session in queue.over(now):
                self._safely(session, session.stay_away)
        self._relay.sweep()
        self._sweeping = self.host.clock.call_at(now + _SWEEP_EVERY, self._sweep)

    def _safely(
        self, session: Session, call: Callable[[], None], method: str = "deadline"
    ) -> None:
        try:
            call()
        except Exception as error:
            self._cut(session, method, error)

    def _cut(self, session: Session, method: str, error: Exception) -> None:
        """End a conversation that failed: it must not cost the others theirs."""
        self.host.failed(method, error, session.client, peer=session.peer)
        self.host.drop(Drop.FAILED, session.peer)
        self.forget(session)
        session.cut()


def _refuse(way: Way, error: RemoteProtocolError) -> None:
    headers = [(b"allow", b"GET, POST")] if error.status == 405 else []
    if error.status == 503:
        headers.append((b"retry-after", b"1"))
    way.respond(error.status, wire.answer(error=error.reason), headers)
