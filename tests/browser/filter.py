"""A web proxy of the kind that breaks things: no upgrades, no streams, lost answers."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

__all__ = ["Filter"]

Files = Mapping[str, tuple[str, bytes]]
_TIMEOUT = 60.0
_NOT_FORWARDED = {"connection", "transfer-encoding", "content-length"}


class Filter:
    """Passes plain requests on to a port; serves some files itself.

    Attributes:
        keeps_streams: whether an answer is passed on only once it is complete.
        loses: how many of the coming answers are thrown away.
        asked: methods and paths of what was passed on.
    """

    def __init__(self, target: int, files: Files) -> None:
        self.target = target
        self.files = files
        self.keeps_streams = False
        self.loses = 0
        self.asked: list[str] = []
        self._server = _Server(("127.0.0.1", 0), self)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], rules: Filter) -> None:
        self.rules = rules
        super().__init__(address, _Request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that is closed cuts its requests."""


class _Request(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Answer a GET."""
        self._pass_on()

    def do_POST(self) -> None:
        """Answer a POST."""
        self._pass_on()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def _pass_on(self) -> None:
        rules = self.server.rules
        if self.path in rules.files:
            kind, body = rules.files[self.path]
            self._begin(200, {"Content-Type": kind})
            self.wfile.write(body)
            return
        if self.headers.get("Upgrade"):
            self._begin(400, {})
            return
        rules.asked.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection("127.0.0.1", rules.target, _TIMEOUT)
        try:
            headers = {**self.headers, "Connection": "close"}
            connection.request(self.command, self.path, body, headers)
            self._answer(connection.getresponse())
        finally:
            connection.close()

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        rules = self.server.rules
        kept = answer.read() if rules.keeps_streams else b""
        if rules.loses:
            rules.loses -= 1
            return
        self._begin(answer.status, dict(answer.getheaders()))
        self.wfile.write(kept)
        while part := answer.read1(65_536):
            self.wfile.write(part)
            self.wfile.flush()

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _NOT_FORWARDED:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
