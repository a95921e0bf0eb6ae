"""Message: what a consumer gets."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from copy import deepcopy
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.utils.functional import cached_property  # the standard one has a lock

from fairway.core.bus import channels, registry
from fairway.core.bus.channels import Channel
from fairway.core.bus.layer import ChannelLayer
from fairway.core.consumer import identity
from fairway.core.consumer.control import UnsupportedData
from fairway.core.consumer.headers import HeaderView
from fairway.core.consumer.identity import User
from fairway.core.consumer.state import PeerState
from fairway.core.content import Content, Encoded
from fairway.core.exceptions import LocalProtocolError
from fairway.core.names import is_shared

__all__ = ["RETRIES", "Message"]

_STATE = "_state"
"""Key of a shared peer's session under which its state is kept."""
RETRIES = "_retries"
"""Content key: how often `ConsumeLater` has put the message off."""


class Message:
    """A message of a channel, with what belongs to it at hand.

    Everything but the content is worked out when it is first asked for. Attributes may
    be added and replaced, as decorators do.

    Args:
        content: its keys and values; `message["text"]` reads them, too.
        channel: the name of the channel it came on.
        layer: the channel layer it came by; None for the default one.
        state: the state of its peer, None where the host keeps none.
    """

    def __init__(
        self,
        content: Content,
        channel: str,
        layer: ChannelLayer | None = None,
        state: PeerState | None = None,
    ) -> None:
        self.content = content
        self.channel = channel
        self.kwargs: dict[str, Any] = {}
        """What the route's named groups matched."""
        self._layer = layer
        self._state = state

    def __repr__(self) -> str:
        return f"<Message on {self.channel} of {self.peer}>"

    def __getitem__(self, key: str) -> Any:
        return self.content[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.content[key] = value

    def __contains__(self, key: str) -> bool:
        return key in self.content

    def __iter__(self) -> Iterator[str]:
        return iter(self.content)

    def __len__(self) -> int:
        return len(self.content)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key of the content."""
        return self.content.get(key, default)

    def keys(self) -> KeysView[str]:
        """Return the keys of the content."""
        return self.content.keys()

    def values(self) -> ValuesView[Any]:
        """Return the values of the content."""
        return self.content.values()

    def items(self) -> ItemsView[str, Any]:
        """Return keys and values of the content."""
        return self.content.items()

    def copy(self) -> Message:
        """Return the same message with content of its own."""
        return Message(deepcopy(self.content), self.channel, self._layer, self._state)

    @property
    def layer(self) -> ChannelLayer:
        """The channel layer it came by."""
        if self._layer is None:
            self._layer = registry.get_layer()
        return self._layer

    @cached_property
    def reply_channel(self) -> Channel:
        """The channel of the peer it is from.

        Raises:
            LocalProtocolError: it has no peer; then `peer` is None, too.
        """
        name = self.content.get("reply_channel")
        if name is None:
            raise LocalProtocolError(f"{self.channel} has no peer to talk to")
        return Channel(name, self._layer)

    @property
    def peer(self) -> str | None:
        """The stable identity of the peer, such as `websocket:<id>` or `sms:+46...`."""
        return self.content.get("peer")

    @property
    def protocol(self) -> str | None:
        """The name of the protocol that the peer speaks."""
        return self.content.get("protocol")

    @property
    def client(self) -> str | None:
        """The display address of the peer."""
        return self.content.get("client")

    @property
    def path(self) -> str | None:
        """The path that the peer asked for, None where there are no paths."""
        return self.content.get("path")

    @property
    def order(self) -> int | None:
        """0, 1, 2 ... among the events of the peer, None where they have no order."""
        return self.content.get("order")

    @property
    def retries(self) -> int:
        """How often `ConsumeLater` has put it off."""
        return int(self.content.get(RETRIES, 0))

    @property
    def data(self) -> str | bytes:
        """The text or the bytes that the peer sent, whichever it was.

        Raises:
            KeyError: this event carries neither.
        """
        content = self.content
        for key in ("text", "bytes"):
            if (value := content.get(key)) is not None:
                return value  # type: ignore[no-any-return]
        raise KeyError(f"{self.channel} carries neither text nor bytes")

    @property
    def text(self) -> str:
        """What the peer sent, as text.

        Raises:
            UnsupportedData: it sent bytes that are not UTF-8.
            KeyError: this event carries neither text nor bytes.
        """
        data = self.data
        if isinstance(data, str):
            return data
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise UnsupportedData(f"not UTF-8 at byte {error.start}") from error

    @property
    def bytes(self) -> bytes:
        """What the peer sent, as bytes.

        Raises:
            KeyError: this event carries neither text nor bytes.
        """
        data = self.data
        return data.encode() if isinstance(data, str) else data

    @cached_property
    def headers(self) -> HeaderView:
        """The headers of the request that the peer began with.

        Raises:
            KeyError: this event carries none; only the first of a peer may.
        """
        try:
            return HeaderView(self.content["headers"])
        except KeyError:
            raise KeyError(
                f"{self.channel} carries no headers; only the first event of a peer "
                "may: keep what you need of them in message.state"
            ) from None

    @property
    def state(self) -> Content:
        """A small dict that is kept for the peer, to read and to change.

        It rides with the peer's events; that of a peer without a host of its own, such
        as a phone number, is kept in `channel_session`.

        Raises:
            LocalProtocolError: the event has no peer.
            ConfigurationError: it needs a session, and the site keeps its sessions in
                cookies.
        """
        if self._state is None:
            self._state = self._begin_state()
        return self._state.values

    @cached_property
    def is_first(self) -> bool:
        """Whether a peer without a connection is heard of for the first time.

        Of a shared peer, such as a phone number: for the first time since its session
        began, which this looks up and begins.
        """
        if not self.is_shared:
            return bool(self.content.get("first"))
        if self.channel_session.get(_STATE) is not None:
            return False
        self.channel_session[_STATE] = ""
        return True

    @property
    def is_shared(self) -> bool:
        """Whether the peer belongs to no single interface server, as phones do."""
        return is_shared(self.content.get("reply_channel", ""))

    def keep(self, **values: Any) -> None:
        """Put values into `state`; raises as it does."""
        self.state.update(values)

    @cached_property
    def http_session(self) -> SessionBase | None:
        """The site's session, by the cookie of the peer's first event.

        None without a cookie; it is never created here, and saved when the consumer
        changed it and did not raise.
        """
        if self._state is not None:
            cookie = self._state.cookie
        else:
            cookie = identity.session_cookie(self.content)
        return None if cookie is None else identity.open_session(cookie)

    @property
    def session(self) -> SessionBase | None:
        """Another name of `http_session`."""
        return self.http_session

    @cached_property
    def channel_session(self) -> SessionBase:
        """A session of the peer's own, saved when the consumer changed it.

        Raises:
            LocalProtocolError: the event has no peer.
            ConfigurationError: the site keeps its sessions in cookies.
        """
        return identity.open_channel_session(self._identity())

    @property
    def has_channel_session(self) -> bool:
        """Whether `channel_session` may hold anything."""
        if self._state is None or "channel_session" in self.__dict__:
            return self.peer is not None
        return self._state.has_channel_session

    @cached_property
    def user(self) -> User:
        """Who is logged in to the site with the peer's cookie, or an AnonymousUser."""
        return identity.user_of(self.http_session or identity.open_session(None))

    def send_held(self) -> None:
        """Let go what was sent so far, before the consumer ends.

        For consumers that go on for long, such as one that streams an answer. A later
        failure takes nothing of it back.

        Raises:
            ChannelFull: a channel is full; what was held before it has left.
            LayerUnavailable: the layer cannot be reached.
        """
        channels.send_held()

    def save(self) -> None:
        """Keep what a consumer changed: sessions and state; called when it has ended.

        Raises:
            StateTooLarge: the state is above the limit.
            ConsumeLater: the channel session was created by somebody else meanwhile.
        """
        opened, state = self.__dict__, self._state
        if session := opened.get("http_session"):
            identity.save_session(session)
        if "channel_session" not in opened and (state is None or not state.is_open):
            return
        if state is not None and self.is_shared:
            self._save_in_session(state)
            state = None
        if session := opened.get("channel_session"):
            saved = identity.save_channel_session(session, self._identity())
            if saved and state is not None:
                state.has_channel_session = True
        if state is not None:
            state.commit()

    def discard(self) -> None:
        """Forget what a consumer changed; called when it raised."""
        for opened in ("http_session", "channel_session"):
            self.__dict__.pop(opened, None)
        if self._state is not None:
            self._state.rollback()

    def forget_peer(self) -> None:
        """Delete the session that was saved for a peer which has left."""
        if self._state is not None and self._state.has_channel_session:
            identity.delete_channel_session(self._identity())

    def changed_state(self) -> Encoded | None:
        """Return the state for the peer's host, None when it keeps none or has it."""
        if self._state is None or self.is_shared:
            return None
        return self._state.changed()

    def encoded_state(self) -> Encoded | None:
        """Return the state as it travels, None where none is kept."""
        return None if self._state is None else self._state.encoded()

    def _begin_state(self) -> PeerState:
        if self.is_shared:
            kept = self.channel_session.get(_STATE)
            return PeerState(b64decode(kept) if kept else None)
        if self.peer is None:
            raise LocalProtocolError(f"{self.channel} has no peer to keep state for")
        return PeerState(None)

    def _save_in_session(self, state: PeerState) -> None:
        state.commit()
        if (changed := state.changed()) is not None:
            self.channel_session[_STATE] = b64encode(changed).decode()

    def _identity(self) -> str:
        if self.peer is None:
            raise LocalProtocolError(
                f"{self.channel} has no peer to keep a session for"
            )
        return self.peer
