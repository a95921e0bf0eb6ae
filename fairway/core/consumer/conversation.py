"""Conversation: one class-based consumer for every protocol with a peer to talk to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from fairway.core.bus.channels import Channel, Group
from fairway.core.consumer.identity import User
from fairway.core.consumer.message import Message
from fairway.core.content import Content

__all__ = ["Conversation"]


class Conversation:
    """What is said between the site and one peer, whatever it came by.

    There is an instance per event. What the peer shall remember goes into `self.state`.

        class Room(Conversation):
            groups = ["room"]

            def received(self):
                self.broadcast("room", self.message.text)

        channel_routing = [route_class(Room, path=r"^/room/$")]

    Raise DenyConnection in `connected` to refuse the peer.
    """

    groups: ClassVar[Sequence[str]] = ()
    """Groups that every peer is a member of while it is there."""

    def __init__(self, message: Message, **kwargs: Any) -> None:
        self.message = message
        self.kwargs = kwargs
        """What the route's named groups matched."""
        self._decided = False

    @classmethod
    def channel_names(cls) -> Sequence[str]:
        """Return the channels that it consumes, on all protocols."""
        return ("*.connect", "*.receive", "*.disconnect")

    @classmethod
    def consume(cls, message: Message, **kwargs: Any) -> Any:
        """Consume one event; the router calls it."""
        conversation = cls(message, **kwargs)
        _, _, what = message.channel.rpartition(".")
        match what:
            case "connect":
                conversation._connect()
                return None
            case "disconnect":
                return conversation._disconnect()
            case _:
                return conversation._receive()

    def connected(self) -> None:
        """The peer is there; it is accepted unless this raises DenyConnection.

        On a protocol without a connection it comes before the first `received`.
        """

    def received(self) -> None:
        """The peer sent `self.message`."""

    def disconnected(self) -> None:
        """The peer has left; it gets nothing any more."""

    @property
    def state(self) -> Content:
        """A small dict that is kept for the peer; see `Message.state`."""
        return self.message.state

    @property
    def user(self) -> User:
        """Who is logged in to the site with the peer's cookie, or an AnonymousUser."""
        return self.message.user

    @property
    def peer(self) -> str:
        """The stable identity of the peer."""
        return self.message.peer or ""

    @property
    def protocol(self) -> str:
        """The name of the protocol that the peer speaks."""
        return self.message.protocol or ""

    def accept(self, **keys: Any) -> None:
        """Accept the peer with more than a yes, such as `subprotocol="chat"`."""
        self._decided = True
        self.message.reply_channel.send({"accept": True, **keys})

    def reply(self, what: str | bytes | Content) -> None:
        """Send to the peer: text, bytes, or content as its protocol understands it."""
        self._decided = True
        self.message.reply_channel.send(_content(what))

    def close(self, code: int | bool = True) -> None:
        """End the peer's connection."""
        self._decided = True
        self.message.reply_channel.send({"close": code})

    def join(self, group: str) -> None:
        """Make the peer a member of a group until it leaves."""
        Group(group, self.message.layer).add(self.message.reply_channel)

    def leave(self, group: str) -> None:
        """End the peer's membership of a group."""
        Group(group, self.message.layer).discard(self.message.reply_channel)

    def broadcast(
        self,
        group: str,
        what: str | bytes | Content,
        *,
        exclude: Iterable[Channel | str] = (),
    ) -> None:
        """Send to every member of a group but `exclude`."""
        Group(group, self.message.layer).send(_content(what), exclude=exclude)

    def _connect(self) -> None:
        for group in self.groups:
            self.join(group)
        self.connected()
        if not self._decided:
            self.accept()

    def _receive(self) -> Any:
        first = self.message.is_first
        if first or self.message.is_shared:
            # Nobody renews the memberships of a shared peer but its own events.
            for group in self.groups:
                self.join(group)
        if first:
            self.connected()
        return self.received()

    def _disconnect(self) -> Any:
        for group in self.groups:
            self.leave(group)
        return self.disconnected()


def _content(what: str | bytes | Content) -> Content:
    if isinstance(what, str):
        return {"text": what}
    return {"bytes": what} if isinstance(what, bytes) else what
