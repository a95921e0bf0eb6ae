"""Consumers: what comes in goes out."""

from __future__ import annotations

import re
import time

from fairway import Group, Message

ALL = "all"
WAITING = "waiting"
SLOW = re.compile(r"slow (\d+(?:\.\d+)?)")


def accept(message: Message) -> None:
    """Accept anybody, with the first subprotocol that is offered."""
    offered = message.get("subprotocols") or []
    chosen = {"subprotocol": offered[0]} if offered else {}
    message.reply_channel.send({"accept": True, **chosen})


def echo(message: Message) -> None:
    """Send back exactly what came; after a while when that is what it says."""
    data = message.data
    if isinstance(data, str):
        if wanted := SLOW.fullmatch(data):
            time.sleep(min(float(wanted[1]), 60))
        message.reply_channel.send({"text": data})
    else:
        message.reply_channel.send({"bytes": data})


def join_group(message: Message) -> None:
    """Accept, once the client is sure to get what is sent to the group."""
    Group(ALL).add(message.reply_channel)
    accept(message)


def wait(message: Message) -> None:
    """Leave the request unanswered: the group will. No thread waits."""
    Group(WAITING).add(message.reply_channel)


def release(message: Message) -> None:
    """Answer all requests that wait, and then this one."""
    Group(WAITING).send({"text": "released\n"})
    message.reply_channel.send({"text": "released all\n"})


def ignore(message: Message) -> None:
    """Nothing has to be done: groups forget a client that has left."""
