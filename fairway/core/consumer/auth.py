"""Decorators for users, as consumers of Channels 1 have them.

`message.user` is whoever is logged in to the site, on every event of a peer, with or
without a decorator.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.utils.functional import SimpleLazyObject

from fairway.core.consumer.identity import User, open_session, user_of
from fairway.core.consumer.message import Message

__all__ = [
    "channel_and_http_session_user_from_http",
    "channel_session_user",
    "channel_session_user_from_http",
    "http_session_user",
]

ConsumerT = TypeVar("ConsumerT", bound=Callable[..., Any])


def http_session_user(consumer: ConsumerT) -> ConsumerT:
    """Say that a consumer uses `message.user` and `message.http_session`."""
    return consumer


def channel_session_user(consumer: Callable[..., Any]) -> Callable[..., Any]:
    """Let `message.user` be who is logged in to the channel session, too.

    The site's own login goes first. This is for peers without cookies, such as phones,
    that a consumer has logged in itself.
    """

    @wraps(consumer)
    def with_user(*args: Any, **kwargs: Any) -> Any:
        # The first argument of a function, the second of a method.
        message = next(arg for arg in args[:2] if isinstance(arg, Message))
        vars(message)["user"] = SimpleLazyObject(lambda: _user(message))
        return consumer(*args, **kwargs)

    return with_user


def channel_session_user_from_http(consumer: Callable[..., Any]) -> Callable[..., Any]:
    """Do the same on the event that a peer connects with."""
    return channel_session_user(consumer)


def channel_and_http_session_user_from_http(
    consumer: Callable[..., Any],
) -> Callable[..., Any]:
    """Do the same on the event that a peer connects with."""
    return channel_session_user(consumer)


def _user(message: Message) -> User:
    user = user_of(message.http_session or open_session(None))
    if user.is_authenticated or not message.has_channel_session:
        return user
    return user_of(message.channel_session)
