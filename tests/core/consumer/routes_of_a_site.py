"""Routes that tests name by dotted path."""

from __future__ import annotations

from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import route


def first(message: Message, **kwargs: str) -> None:
    """Do nothing."""


def second(message: Message, **kwargs: str) -> None:
    """Do nothing."""


routes = [
    route("websocket.receive", first, path=r"^/(?P<room>\w+)/$"),
    route("websocket.receive", second),
]
as_dict = {"websocket.connect": first, "websocket.receive": f"{__name__}.second"}
not_callable = 5
