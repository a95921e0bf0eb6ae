"""A client of the wire format, made of requests that anybody can send."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

__all__ = ["Poller"]

Headers = dict[str, str]


class Poller:
    """One conversation.

    Attributes:
        token: set it, or `begin`.
        after: the number of the last message that it has.
    """

    def __init__(self, port: int, path: str) -> None:
        self.url = f"http://127.0.0.1:{port}{path}"
        # Nothing is to be verified; to read certificates takes 30 ms a client.
        self.http = httpx.Client(timeout=20.0, trust_env=False, verify=False)
        self.token = ""
        self.after = 0
        self.headers: Headers = {}

    def begin(self, **headers: str) -> httpx.Response:
        """Ask for a conversation."""
        answer = self.post(b"", **headers)
        if answer.status_code == 200:
            self.token = answer.json()["token"]
        return answer

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        """Send any body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        fields = {"content-type": "application/json", **self._token(), **named}
        return self.http.post(self.url, content=body, headers=fields)

    def send(self, *messages: Any, **fields: Any) -> httpx.Response:
        """Send messages."""
        return self.post(json.dumps({"messages": messages, **fields}).encode())

    def poll(self, after: int | None = None) -> httpx.Response:
        """Wait for messages."""
        known = self.after if after is None else after
        return self.http.get(
            self.url, params={"after": known}, headers={**self.headers, **self._token()}
        )

    def hear(self) -> list[Any]:
        """Wait for messages, and have them."""
        answer = self.poll()
        assert answer.status_code == 200, answer.text
        body = answer.json()
        if body["messages"]:
            assert body["first"] == self.after + 1
        self.after += len(body["messages"])
        return list(body["messages"])

    def hear_all(self, count: int) -> list[Any]:
        """Have so many messages."""
        heard: list[Any] = []
        while len(heard) < count:
            heard += self.hear()
        return heard

    @contextmanager
    def stream(self, **headers: str) -> Iterator[Iterator[str]]:
        """Open a stream of events; gives its lines."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        fields = {"accept": "text/event-stream", **self._token(), **named}
        with self.http.stream("GET", self.url, headers=fields) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"] == "text/event-stream"
            yield _lines(answer)

    def close(self) -> None:
        """Close its connections."""
        self.http.close()

    def _token(self) -> Headers:
        return {"fairway-token": self.token} if self.token else {}


def _lines(answer: httpx.Response) -> Iterator[str]:
    """Give lines as streams of events have them, which is not as str.splitlines."""
    rest = ""
    for text in answer.iter_text():
        *lines, rest = re.split("\r\n|\r|\n", rest + text)
        yield from lines
