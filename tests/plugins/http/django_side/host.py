"""The interface server's half of a request, played over a real memory layer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.consumer.message import Message
from fairway.core.content import Content, encode_content
from fairway.plugins.http.routes import serve

Headers = list[tuple[str, str]]

TIMEOUT = 20.0
CHUNK = 256 * 1024


class Host:
    """Emits requests, and takes the replies to them."""

    def __init__(self) -> None:
        self.layer = MemoryLayer("memory://", LayerPolicy())
        self.mailbox = self.layer.receiver(["host!"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.layer.close()

    def message(self, method: str = "GET", target: str = "/", **keys: Any) -> Message:
        """Return the message of a request.

        Args:
            keys: `headers` as text, and keys of the content as they are.
        """
        path, _, query = target.partition("?")
        headers = keys.pop("headers", [("host", "testserver")])
        content = {
            "reply_channel": "host!1",
            "peer": "http:1",
            "protocol": "http",
            "client": "192.0.2.1:5123",
            "path": path,
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [
                [name.lower().encode("latin-1"), value.encode("latin-1")]
                for name, value in headers
            ],
            "scheme": "http",
            "server": ["testserver", 80],
            "method": method,
            "http_version": "1.1",
            "body": b"",
        }
        return Message({**content, **keys}, "http.request", self.layer)

    def ask(self, method: str = "GET", target: str = "/", **keys: Any) -> Content:
        """Send a request through the default route and return its only reply."""
        serve(self.message(method, target, **keys))
        [reply] = self.replies()
        return reply

    def replies(self) -> list[Content]:
        """Return all replies that wait."""
        replies = []
        while taken := self.mailbox.take(100, 0):
            replies += [delivery.content() for delivery in taken]
        return replies

    def reply(self) -> Content:
        """Wait for the next reply and return it."""
        [delivery] = self.mailbox.take(1, TIMEOUT)
        return delivery.content()

    def tell(self, channel: str, content: Content) -> None:
        """Send to a channel of the worker."""
        self.layer.send(channel, encode_content(content))

    @contextmanager
    def serving(self, *arguments: Any, **keys: Any) -> Iterator[threading.Thread]:
        """Run a request in a thread, as a worker does, while the block lasts."""
        message = self.message(*arguments, **keys)
        worker = threading.Thread(target=serve, args=(message,), daemon=True)
        worker.start()
        yield worker
        worker.join(TIMEOUT)
        assert not worker.is_alive()


def header(reply: Content, name: str) -> str | None:
    """Return the only value of a header of a reply, None when it has none."""
    values = headers(reply, name)
    assert len(values) <= 1
    return values[0] if values else None


def headers(reply: Content, name: str) -> list[str]:
    """Return all values of a header of a reply."""
    return [
        value.decode("latin-1")
        for key, value in reply["headers"]
        if key.decode().lower() == name.lower()
    ]
