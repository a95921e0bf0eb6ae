"""Consumers that write down what they consumed, so that nothing is seen twice."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import fairway
from fairway import Channel, Group, Message, route
from fairway.plugins.http.routes import routes as http_routes

urlpatterns: list[object] = []

_folder = Path(os.environ["FAULT_FOLDER"])
_lock = threading.Lock()
_file = (_folder / f"{os.getpid()}.ledger").open("a", buffering=1)


def _note(text: str) -> None:
    with _lock:
        _file.write(f"{text}\n")


def mark(message: Message, number: str) -> None:
    _note(number)
    message.reply_channel.send({"text": number})


def nap(message: Message, number: str) -> None:
    _note(number)
    time.sleep(0.3)
    message.reply_channel.send({"text": number})


def page(message: Message) -> None:
    """A page that stays connected, and notes for how long it was not."""
    script = """
      import { connect } from "/client.js";
      window.gaps = [];
      let since;
      const connection = connect("/");
      connection.addEventListener("reconnecting", () => (since ??= performance.now()));
      connection.addEventListener("open", ({ detail }) => {
        document.title = "open";
        if (detail.again) gaps.push(performance.now() - since);
        since = undefined;
      });
    """
    content = f"<!doctype html><script type=module>{script}</script>".encode()
    headers = [[b"content-type", b"text/html"]]
    message.reply_channel.send({"status": 200, "headers": headers, "content": content})


def client(message: Message) -> None:
    content = (Path(fairway.__file__).parent / "static/fairway/client.js").read_bytes()
    headers = [[b"content-type", b"text/javascript"]]
    message.reply_channel.send({"status": 200, "headers": headers, "content": content})


def rest(message: Message, seconds: str) -> None:
    _note("resting")
    time.sleep(float(seconds))
    message.reply_channel.send({"text": "rested"})


def wait(message: Message) -> None:
    """Whoever sends to the group answers; until then no consumer is at it."""
    Group("waiting").add(message.reply_channel)
    _note("waiting")


def release(message: Message) -> None:
    Group("waiting").send({"text": "released"})
    message.reply_channel.send({"text": "done"})


def big(message: Message, size: str) -> None:
    message.reply_channel.send({"status": 200, "content": b"", "more_content": True})
    for _ in range(int(size)):
        message.reply_channel.send({"content": b"x" * 200_000, "more_content": True})
    message.reply_channel.send({"content": b"", "more_content": False})


def upload(message: Message) -> None:
    message.reply_channel.send({"text": "taken"})


def connect(message: Message) -> None:
    Group("all").add(message.reply_channel)
    message.reply_channel.send({"accept": True, "text": message.reply_channel.name})


def receive(message: Message) -> None:
    words = message.text.split()
    match words:
        case ["mark", number]:
            _note(number)
            message.reply_channel.send({"text": number})
        case ["everyone", *_]:
            Group("all").send({"text": message.text})
        case ["flood", count]:
            for _ in range(int(count)):
                message.reply_channel.send({"bytes": b"x" * 60_000})
        case ["sleep", seconds]:
            time.sleep(float(seconds))
            _note("slept")
            message.reply_channel.send({"text": message.text})
        case ["chain", length]:
            _pass_on({"left": int(length), "reply": message.reply_channel.name})
        case _:
            message.reply_channel.send({"text": message.text})


def chain(message: Message) -> None:
    """Send to the other one and to the group, until nothing is left."""
    _note(f"chain {message['left']}")
    _pass_on({"left": message["left"] - 1, "reply": message["reply"]})


def _pass_on(content: dict[str, object]) -> None:
    left = content["left"]
    assert isinstance(left, int)
    if left:
        Group("all").send({"text": f"everyone {left}"})
        Channel("ping" if left % 2 else "pong").send(content)
    else:
        Channel(str(content["reply"])).send({"text": "end of the chain"})


def ignore(message: Message) -> None:
    """Groups forget a client that has left."""


routes = [
    route("http.request", mark, path=r"^/mark/(?P<number>\d+)$"),
    route("http.request", nap, path=r"^/nap/(?P<number>\d+)$"),
    route("http.request", page, path=r"^/page$"),
    route("http.request", client, path=r"^/client.js$"),
    route("http.request", rest, path=r"^/rest/(?P<seconds>\d+)$"),
    route("http.request", wait, path=r"^/wait$"),
    route("http.request", release, path=r"^/release$"),
    route("http.request", big, path=r"^/big/(?P<size>\d+)$"),
    route("http.request", upload, path=r"^/upload$"),
    route("websocket.connect", connect),
    route("websocket.receive", receive),
    route(["websocket.disconnect", "http.disconnect"], ignore),
    route(["ping", "pong"], chain),
    *http_routes,
]
