"""Consumers of mixed traffic."""

from __future__ import annotations

import time

from fairway import Group, Message, route
from fairway.plugins.http.routes import routes as http_routes


def connect(message: Message) -> None:
    Group("all").add(message.reply_channel)
    message.reply_channel.send({"accept": True, "text": "welcome"})


def receive(message: Message) -> None:
    """Echo, tell everybody, or take a while."""
    word, _, rest = message.text.partition(" ")
    if word == "everyone":
        Group("all").send({"text": message.text})
    else:
        if word == "slow":
            time.sleep(float(rest))
        message.reply_channel.send({"text": message.text})


def leave(message: Message) -> None:
    """Groups forget a client that has left."""


routes = [
    route("websocket.connect", connect),
    route("websocket.receive", receive),
    route(["websocket.disconnect", "http.disconnect"], leave),
    *http_routes,
]
