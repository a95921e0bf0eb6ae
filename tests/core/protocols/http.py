"""A protocol whose requests have no order."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import route
from fairway.core.plugin.hookspecs import hookimpl
from fairway.core.plugin.spec import Event, ProtocolSpec
from fairway.core.settings import Config

__all__ = ["SPEC", "page", "routes"]

SPEC = ProtocolSpec(
    name="http",
    config=Config,
    events=(Event(channel="http.request"), Event(channel="http.disconnect")),
    replies={"status": int, "headers": list, "content": bytes},
    peers="owned",
    ordering="none",
    failure={"status": 500},
    unrouted={"status": 404},
    transports={},
    routes="tests.core.protocols.http:routes",
)


@hookimpl
def fairway_protocols() -> Sequence[ProtocolSpec]:
    return [SPEC]


def page(message: Message) -> None:
    message.reply_channel.send({"status": 200, "content": b"a page"})


routes = [route("http.request", page)]
