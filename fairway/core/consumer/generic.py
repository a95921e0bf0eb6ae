"""Class-based consumers as Channels 1 has them, for WebSockets only."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder

from fairway.core.bus.channels import Group
from fairway.core.consumer.control import CloseConnection, UnsupportedData
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import Route, route_class
from fairway.core.content import Content

__all__ = ["BaseConsumer", "JsonWebsocketConsumer", "WebsocketConsumer"]

UNSUPPORTED_KIND = 1003
"""Close code for a kind of message that cannot be accepted (RFC 6455, 7.4.1)."""


class BaseConsumer:
    """One instance per message, which calls the method that its channel stands for.

    Sessions, users and order need no switch: they are there on every event. The class
    attributes that turned them on in Channels 1 may stay.
    """

    method_mapping: ClassVar[Mapping[str, str]] = {}
    """Channel names to method names."""

    def __init__(self, message: Message, **kwargs: Any) -> None:
        self.message = message
        self.kwargs = kwargs

    @classmethod
    def channel_names(cls) -> Collection[str]:
        """Return the channels that it consumes."""
        return set(cls.method_mapping)

    @classmethod
    def as_route(cls, attrs: Mapping[str, Any] | None = None, **filters: Any) -> Route:
        """Return a route to it, or to a subclass with some attributes replaced."""
        consumer = type(cls.__name__, (cls,), dict(attrs)) if attrs else cls
        return route_class(consumer, **filters)

    @classmethod
    def consume(cls, message: Message, **kwargs: Any) -> Any:
        """Consume one message; the router calls it."""
        return cls(message, **kwargs).dispatch(message, **kwargs)

    def get_handler(self, message: Message, **kwargs: Any) -> Callable[..., Any]:
        """Return the method for a message; override it to decorate all of them."""
        method: Callable[..., Any] = getattr(self, self.method_mapping[message.channel])
        return method

    def dispatch(self, message: Message, **kwargs: Any) -> Any:
        """Call the method for a message."""
        return self.get_handler(message, **kwargs)(message, **kwargs)


class WebsocketConsumer(BaseConsumer):
    """Consumes the events of WebSockets."""

    method_mapping = {
        "websocket.connect": "raw_connect",
        "websocket.receive": "raw_receive",
        "websocket.disconnect": "raw_disconnect",
    }
    groups: Sequence[str] | None = None
    """Groups that every socket is a member of while it is open."""

    @property
    def path(self) -> str | None:
        """The path that the socket asked for."""
        return self.message.path

    def connection_groups(self, **kwargs: Any) -> Sequence[str]:
        """Return the groups that the socket is a member of while it is open."""
        return self.groups or ()

    def raw_connect(self, message: Message, **kwargs: Any) -> Any:
        """Join the groups and call `connect`."""
        for group in self.connection_groups(**kwargs):
            Group(group, message.layer).add(str(message.reply_channel))
        return self.connect(message, **kwargs)

    def connect(self, message: Message, **kwargs: Any) -> Any:
        """Accept the socket."""
        self._reply({"accept": True})

    def raw_receive(self, message: Message, **kwargs: Any) -> Any:
        """Call `receive` with what came."""
        if (text := message.get("text")) is not None:
            return self.receive(text=text, **kwargs)
        return self.receive(bytes=message["bytes"], **kwargs)

    # Any arguments, so that a typed subclass may name those it wants.
    def receive(self, *args: Any, **kwargs: Any) -> Any:
        """The client sent something: comes with `text=` or `bytes=`."""

    def raw_disconnect(self, message: Message, **kwargs: Any) -> Any:
        """Leave the groups and call `disconnect`."""
        for group in self.connection_groups(**kwargs):
            Group(group, message.layer).discard(str(message.reply_channel))
        return self.disconnect(message, **kwargs)

    def disconnect(self, message: Message, **kwargs: Any) -> Any:
        """The client has left."""

    def send(
        self,
        text: str | None = None,
        bytes: bytes | None = None,
        close: bool | int = False,
    ) -> None:
        """Send to the client, then close when `close` says so.

        Raises:
            ValueError: neither text nor bytes is given.
        """
        self._reply(_frame(text, bytes, close))

    @classmethod
    def group_send(
        cls,
        name: str,
        text: str | None = None,
        bytes: bytes | None = None,
        close: bool | int = False,
    ) -> None:
        """Send to every member of a group; raises as `send` does."""
        Group(name).send(_frame(text, bytes, close))

    def close(self, status: bool | int = True) -> None:
        """Close the socket, or refuse it while it is not accepted."""
        self._reply({"close": status})

    def _reply(self, content: Content) -> None:
        self.message.reply_channel.send(content)


class JsonWebsocketConsumer(WebsocketConsumer):
    """Consumes WebSockets that carry JSON texts."""

    def raw_receive(self, message: Message, **kwargs: Any) -> Any:
        """Call `receive` with the decoded content.

        Raises:
            CloseConnection: the client sent bytes.
            UnsupportedData: the client sent a text that is not JSON.
        """
        if message.get("text") is None:
            raise CloseConnection(UNSUPPORTED_KIND, "only text is understood")
        try:
            content = self.decode_json(message["text"])
        except (ValueError, RecursionError) as error:  # the latter when nested too deep
            raise UnsupportedData("not JSON") from error
        return self.receive(content, **kwargs)

    def receive(self, *args: Any, **kwargs: Any) -> Any:
        """The client sent JSON: comes with the decoded content."""

    def send(self, content: Any, close: bool | int = False) -> None:  # type: ignore[override]
        """Send JSON to the client, then close when `close` says so."""
        super().send(text=self.encode_json(content), close=close)

    @classmethod
    def group_send(  # type: ignore[override]
        cls, name: str, content: Any, close: bool | int = False
    ) -> None:
        """Send JSON to every member of a group."""
        super().group_send(name, text=cls.encode_json(content), close=close)

    @classmethod
    def decode_json(cls, text: str) -> Any:
        """Read a text; a ValueError says that it cannot be read."""
        return json.loads(text)

    @classmethod
    def encode_json(cls, content: Any) -> str:
        """Write a text."""
        return json.dumps(content, cls=DjangoJSONEncoder)


def _frame(text: str | None, binary: bytes | None, close: bool | int) -> Content:
    if text is None and binary is None:
        raise ValueError("give text or bytes")
    content: Content = {"bytes": binary} if text is None else {"text": text}
    if close is not False:
        content["close"] = close
    return content
