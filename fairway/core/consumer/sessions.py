"""Decorators for sessions, as consumers of Channels 1 have them.

Sessions open when a consumer first touches `message.http_session` or
`message.channel_session`, and are saved when it has ended; events of one peer come in
order. So these decorators have nothing left to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

__all__ = [
    "channel_and_http_session",
    "channel_session",
    "enforce_ordering",
    "http_session",
]

ConsumerT = TypeVar("ConsumerT", bound=Callable[..., Any])


def http_session(consumer: ConsumerT) -> ConsumerT:
    """Say that a consumer uses `message.http_session`."""
    return consumer


def channel_session(consumer: ConsumerT) -> ConsumerT:
    """Say that a consumer uses `message.channel_session`."""
    return consumer


def channel_and_http_session(consumer: ConsumerT) -> ConsumerT:
    """Say that a consumer uses `message.channel_session` and `message.http_session`."""
    return consumer


@overload
def enforce_ordering(consumer: ConsumerT) -> ConsumerT: ...
@overload
def enforce_ordering(*, slight: bool = False) -> Callable[[ConsumerT], ConsumerT]: ...
def enforce_ordering(consumer: Any = None, *, slight: bool = False) -> Any:
    """Say that a consumer relies on the order of its peer's events."""
    return (lambda decorated: decorated) if consumer is None else consumer
