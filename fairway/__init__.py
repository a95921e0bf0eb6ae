"""fairway: one door for every protocol, with plain synchronous Django behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairway.core.bus.channels import Channel, Group
    from fairway.core.consumer.auth import (
        channel_and_http_session_user_from_http,
        channel_session_user,
        channel_session_user_from_http,
        http_session_user,
    )
    from fairway.core.consumer.control import (
        CloseConnection,
        ConsumeLater,
        DenyConnection,
        UnsupportedData,
    )
    from fairway.core.consumer.conversation import Conversation
    from fairway.core.consumer.generic import (
        BaseConsumer,
        JsonWebsocketConsumer,
        WebsocketConsumer,
    )
    from fairway.core.consumer.message import Message
    from fairway.core.consumer.routing import include, route, route_class
    from fairway.core.consumer.sessions import (
        channel_and_http_session,
        channel_session,
        enforce_ordering,
        http_session,
    )
    from fairway.core.exceptions import (
        ChannelFull,
        FairwayError,
        LayerUnavailable,
        MessageTooLarge,
        StateTooLarge,
    )

__version__ = "0.1.0"

_LAZY = {
    "BaseConsumer": "fairway.core.consumer.generic",
    "Channel": "fairway.core.bus.channels",
    "ChannelFull": "fairway.core.exceptions",
    "CloseConnection": "fairway.core.consumer.control",
    "ConsumeLater": "fairway.core.consumer.control",
    "Conversation": "fairway.core.consumer.conversation",
    "DenyConnection": "fairway.core.consumer.control",
    "FairwayError": "fairway.core.exceptions",
    "Group": "fairway.core.bus.channels",
    "JsonWebsocketConsumer": "fairway.core.consumer.generic",
    "LayerUnavailable": "fairway.core.exceptions",
    "Message": "fairway.core.consumer.message",
    "MessageTooLarge": "fairway.core.exceptions",
    "StateTooLarge": "fairway.core.exceptions",
    "UnsupportedData": "fairway.core.consumer.control",
    "WebsocketConsumer": "fairway.core.consumer.generic",
    "channel_and_http_session": "fairway.core.consumer.sessions",
    "channel_and_http_session_user_from_http": "fairway.core.consumer.auth",
    "channel_session": "fairway.core.consumer.sessions",
    "channel_session_user": "fairway.core.consumer.auth",
    "channel_session_user_from_http": "fairway.core.consumer.auth",
    "enforce_ordering": "fairway.core.consumer.sessions",
    "http_session": "fairway.core.consumer.sessions",
    "http_session_user": "fairway.core.consumer.auth",
    "include": "fairway.core.consumer.routing",
    "route": "fairway.core.consumer.routing",
    "route_class": "fairway.core.consumer.routing",
}

__all__ = [
    "BaseConsumer",
    "Channel",
    "ChannelFull",
    "CloseConnection",
    "ConsumeLater",
    "Conversation",
    "DenyConnection",
    "FairwayError",
    "Group",
    "JsonWebsocketConsumer",
    "LayerUnavailable",
    "Message",
    "MessageTooLarge",
    "StateTooLarge",
    "UnsupportedData",
    "WebsocketConsumer",
    "channel_and_http_session",
    "channel_and_http_session_user_from_http",
    "channel_session",
    "channel_session_user",
    "channel_session_user_from_http",
    "enforce_ordering",
    "http_session",
    "http_session_user",
    "include",
    "route",
    "route_class",
]


# Lazy, so that importing fairway in a project that does not use it costs nothing.
def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'fairway' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_LAZY]
