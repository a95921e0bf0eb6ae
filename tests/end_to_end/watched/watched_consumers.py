"""Consumers that lose messages when they are told to."""

from __future__ import annotations

import time

from fairway import Channel, Message, route

urlpatterns: list[object] = []


def receive(message: Message) -> None:
    """Do what the text says."""
    match message.text:
        case "raise":
            raise ValueError("told to")
        case "full":
            for _ in range(3):
                Channel("narrow").send({})
        case "expire":
            for _ in range(2):
                Channel("brief").send({}, immediately=True)
            time.sleep(1.0)
        case "unsupported":
            message.reply_channel.send({"nonsense": 1})
    message.reply_channel.send({"text": message.text})


def disconnect(message: Message) -> None:
    """Answer somebody who has left."""
    message.reply_channel.send({"text": "too late"})


def ignore(message: Message) -> None:
    """Take what waited too long, unless it is not handed out."""


routes = [
    route("websocket.receive", receive, path=r"^/chat/$"),
    route("websocket.disconnect", disconnect),
    route("brief", ignore),
]
