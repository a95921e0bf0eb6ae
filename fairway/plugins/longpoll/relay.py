"""Requests whose conversation is at another interface server, and the way back.

Each server has one door: a peer of its own, to which other servers forward. A request
crosses as a forward to the owner's door, its answer as forwards to the door of the
server that holds the request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fairway.kit import (
    Content,
    Drop,
    Headers,
    Host,
    MessageTooLarge,
    Peer,
    PeerRefused,
    RemoteProtocolError,
)
from fairway.plugins.longpoll import wire
from fairway.plugins.longpoll.tokens import Address
from fairway.plugins.longpoll.waits import Waits
from fairway.plugins.longpoll.ways import LocalWay, RemoteWay

__all__ = ["Asked", "Relay"]

_SOON: Headers = [(b"retry-after", b"1")]

Asked = Callable[[str, Content, RemoteWay], None]


class _Relayed:
    """A request that is held here for another server."""

    __slots__ = ("body", "door", "is_post", "is_stream", "number", "parts", "way")

    def __init__(self, number: int, door: str, way: LocalWay, *, is_post: bool) -> None:
        self.number = number
        self.door = door
        self.way = way
        self.is_post = is_post
        self.is_stream = False
        self.parts = 0
        """How much of the answer came."""
        self.body: list[bytes] = []


class Relay:
    """Both ends of what crosses between servers.

    Args:
        unheard: seconds until a server that says nothing counts as dead.
        longest: seconds that a request may wait there, once it was heard.
        asked: what a request of another server is handed to: the conversation, what is
            asked, and the way of the answer.
    """

    def __init__(
        self, host: Host, *, unheard: float, longest: float, asked: Asked
    ) -> None:
        self._host = host
        self._asked = asked
        self._unheard: Waits[_Relayed] = Waits(unheard)
        self._waiting: Waits[_Relayed] = Waits(longest + unheard)
        self._relayed: dict[int, _Relayed] = {}
        self._remote: dict[tuple[str, int], RemoteWay] = {}
        self._number = 0
        self._door: Peer | None = None

    @property
    def door(self) -> str:
        """The reply channel of this server's door; opened when first needed.

        Raises:
            RemoteProtocolError: with 503; the limit `peers` leaves no room for it.
        """
        if self._door is None:
            try:
                self._door = self._host.open_peer(self, client="door", handshake=False)
            except PeerRefused:
                raise RemoteProtocolError("too many connections", status=503) from None
        return self._door.reply_channel

    def is_mine(self, door: str) -> bool:
        """Return whether a door is this server's."""
        return self._door is not None and self._door.reply_channel == door

    # Here.

    def ask(self, address: Address, asked: Mapping[str, Any], way: LocalWay) -> None:
        """Let the server of a conversation answer a request."""
        self._number += 1
        one = _Relayed(self._number, address.door, way, is_post="post" in asked)
        content = {
            **asked,
            "session": address.session,
            "request": one.number,
            "back": self.door,
        }
        try:
            self._host.forward(address.door, content)
        except MessageTooLarge:
            way.respond(413, wire.answer(error="too large"))
            return
        self._relayed[one.number] = one
        self._unheard.begin(one, self._now())
        way.on_left(lambda: self._left(one))

    def sweep(self) -> None:
        """End requests for which nobody answers any more."""
        now = self._now()
        for one in [*self._unheard.over(now), *self._waiting.over(now)]:
            self._left(one)
            if one.is_stream:
                one.way.finish()
            else:
                one.way.respond(410, wire.answer(error="gone, reconnect"))

    def stop(self) -> None:
        """Answer what is held here for others, so that clients ask elsewhere."""
        for one in list(self._relayed.values()):
            self._left(one)
            if one.is_stream:
                one.way.finish()
            elif one.is_post:  # nobody knows here what of it was taken
                one.way.respond(503, wire.answer(error="restarting"), _SOON)
            else:
                one.way.respond(200, wire.poll_answer(0, [], None))
        if self._door is not None:
            self._host.close_peer(self._door)

    def _left(self, one: _Relayed) -> None:
        if self._forget(one):
            left = {"left": one.number, "back": self.door}
            self._host.forward(one.door, left)

    def _forget(self, one: _Relayed) -> bool:
        self._unheard.end(one)
        self._waiting.end(one)
        return self._relayed.pop(one.number, None) is not None

    # What comes from other servers.

    def forwarded(self, content: Content) -> None:
        """Take what another server sent to the door."""
        match content:
            case {"request": int() as number, "session": str() as session}:
                key = (str(content["back"]), number)
                way = RemoteWay(lambda part: self._answer(key, part))
                self._remote[key] = way
                self._asked(session, content, way)
            case {"left": int() as number, "back": str() as back}:
                if (gone := self._remote.pop((back, number), None)) is not None:
                    gone.left()
            case {"answer": int() as number}:
                if (one := self._relayed.get(number)) is not None:
                    self._heard(one, content)

    def _answer(self, key: tuple[str, int], part: Content) -> None:
        back, number = key
        if "status" in part or "end" in part:
            self._remote.pop(key, None)
        self._host.forward(back, {**part, "answer": number})

    def _heard(self, one: _Relayed, content: Content) -> None:
        if content["part"] != one.parts:
            self._missed(one)
            return
        one.parts += 1
        self._unheard.end(one)
        self._waiting.begin(one, self._now())
        if "body" in content:
            one.body.append(content["body"])
        if "status" in content:
            self._forget(one)
            one.way.respond(content["status"], b"".join(one.body))
        elif "stream" in content:
            one.is_stream = True
            one.way.start()
        elif "data" in content:
            one.way.write(content["data"])
            if one.way.unsent_bytes > self._host.limits.unsent_bytes:
                # It may come back for what it did not take, if that is not too much.
                self._host.drop("slow", self._door, "relayed")
                self._left(one)
                one.way.abort()
        elif "end" in content:
            self._forget(one)
            one.way.finish()

    def _missed(self, one: _Relayed) -> None:
        """The bus lost a part: the client is to ask again from where it is."""
        self._host.drop(Drop.FAILED, self._door, "a part of an answer was lost")
        self._left(one)
        if one.is_stream:
            one.way.abort()
        else:
            one.way.respond(502, wire.answer(error="the answer was lost"), _SOON)

    def _now(self) -> float:
        return self._host.clock.now()
