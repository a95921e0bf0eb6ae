"""Consumers that write a line when they begin and one when they end."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from fairway import Group, Message, route

urlpatterns: list[object] = []

_folder = Path(os.environ["LEDGER_FOLDER"])
_lock = threading.Lock()
_file = (_folder / f"{os.getpid()}.ledger").open("a", buffering=1)


def _write(what: str, message: Message, text: str) -> None:
    # CLOCK_MONOTONIC is one clock for all processes of a machine.
    with _lock:
        _file.write(f"{time.monotonic_ns()} {what} {message.peer} {text}\n")


def connect(message: Message) -> None:
    _write("begin", message, "connect")
    Group("all").add(message.reply_channel)
    message.reply_channel.send({"accept": True, "text": message.reply_channel.name})
    _write("end", message, "connect")


def receive(message: Message) -> None:
    _write("begin", message, message.text)
    words = message.text.split()
    if words[0] == "sleep":
        time.sleep(float(words[1]))
    elif words[0] == "everyone":
        Group("all").send({"text": message.text})
    elif words[0] == "count":
        message.state["count"] = message.state.get("count", 0) + 1
        message.reply_channel.send({"text": f"{words[1]} {message.state['count']}"})
    else:
        message.reply_channel.send({"text": message.text})
    _write("end", message, message.text)


def disconnect(message: Message) -> None:
    _write("begin", message, "disconnect")
    _write("end", message, "disconnect")


routes = [
    route("websocket.connect", connect),
    route("websocket.receive", receive),
    route("websocket.disconnect", disconnect),
]
