"""A server that takes what Twilio's own description of its API says, and no more."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest

__all__ = ["ACCOUNT", "TOKEN", "Answer", "TwilioApi", "twilio_api"]

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "a-token-that-nobody-knows"
LONGEST = 1_600
DESCRIPTION = Path(__file__).parent / "data" / "twilio_messages_openapi.json"
PATH = "/2010-04-01/Accounts/{AccountSid}/Messages.json"

Answer: TypeAlias = tuple[int, dict[str, str], dict[str, Any]]


@cache
def description() -> OpenAPI:
    return OpenAPI.from_file_path(str(DESCRIPTION))


@cache
def parameters() -> frozenset[str]:
    found = json.loads(DESCRIPTION.read_text())["paths"][PATH]["post"]["requestBody"]
    form = found["content"]["application/x-www-form-urlencoded"]["schema"]
    return frozenset(form["properties"])


def error(status: int, code: int, message: str, **headers: str) -> Answer:
    more = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more, "status": status}
    return status, headers, body


class TwilioApi:
    """Attributes:
    accepted: the parameters of each message that was taken, in order.
    refused: why others were not.
    answers: what the next requests get instead of being looked at.
    busy: numbers whose next message gets 429, to be tried again after a second.
    times: when there was a request, by number.
    opted_out: numbers that answer 21610.
    before: called before a request is answered.
    """

    def __init__(self, port: int = 0) -> None:
        self.accepted: list[dict[str, list[str]]] = []
        self.refused: list[str] = []
        self.answers: list[Answer] = []
        self.opted_out: set[str] = set()
        self.before: Callable[[], None] = lambda: None
        self.busy: set[str] = set()
        self.times: dict[str, list[float]] = {}
        self._connections: set[socket.socket] = set()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                api._connections.add(self.connection)

            def finish(self) -> None:
                api._connections.discard(self.connection)
                super().finish()

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", "0"))
                body = self.rfile.read(size)
                api.before()
                status, headers, content = api.answer(
                    self.path, dict(self.headers), body
                )
                data = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    @property
    def bodies(self) -> list[str]:
        return [fields["Body"][0] for fields in self.accepted]

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        to = parse_qs(body.decode()).get("To", [""])[0]
        self.times.setdefault(to, []).append(time.monotonic())
        if to in self.busy:
            self.busy.discard(to)
            return error(429, 20429, "Too Many Requests", Retry_After="1")
        if self.answers:
            return self.answers.pop(0)
        refusal = self._refusal(path, headers, body)
        if refusal is not None:
            self.refused.append(str(refusal[2]["message"]))
            return refusal
        self.accepted.append(parse_qs(body.decode(), keep_blank_values=True))
        sid = f"SM{len(self.accepted):032x}"
        return 201, {}, {"sid": sid, "status": "queued", "num_segments": "1"}

    def _refusal(
        self, path: str, headers: dict[str, str], body: bytes
    ) -> Answer | None:
        request = MockRequest(
            "https://api.twilio.com",
            "post",
            path,
            headers={"Authorization": headers.get("Authorization", "")},
            data=body,
            content_type=headers.get("Content-Type", ""),
        )
        try:
            description().validate_request(request)
        except OpenAPIError as broken:
            return error(400, 21000, f"{broken}: {broken.__cause__}")
        if unknown := parse_qs(body.decode(), keep_blank_values=True).keys() - (
            parameters()
        ):
            return error(400, 21000, f"unknown parameters {sorted(unknown)}")
        fields = parse_qs(body.decode())
        if not fields.keys() & {"Body", "MediaUrl", "ContentSid"}:
            return error(400, 21619, "A text message body or media urls is required")
        if not fields.keys() & {"From", "MessagingServiceSid"}:
            return error(400, 21603, "A 'From' phone number is required")
        if len(fields.get("Body", [""])[0]) > LONGEST:
            return error(400, 21617, "The message body exceeds 1600 characters")
        if fields["To"][0] in self.opted_out:
            return error(400, 21610, "Attempt to send to unsubscribed recipient")
        return None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()


@contextmanager
def twilio_api(port: int = 0) -> Iterator[TwilioApi]:
    api = TwilioApi(port)
    try:
        yield api
    finally:
        api.close()
