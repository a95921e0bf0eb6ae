"""Requests on mounts without http: an exchange that records how it was answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from fairway.core.exceptions import LocalProtocolError, RemoteProtocolError
from fairway.core.plugin.web import Headers, RequestHead
from fairway.core.plugin.wire import Stream, StreamHandler
from fairway.testing.recording_wire import RecordingStream

__all__ = ["RecordingExchange", "Request"]

_SWITCHING = 101
_TOO_LARGE = 413


class Request(Struct, frozen=True, kw_only=True):
    """What a client of a mount sends."""

    method: str = "POST"
    path: str = "/"
    """With the query string, if there is one."""
    headers: Headers = []
    """Names in lower case; `host` is added when it is missing."""
    body: bytes = b""
    client: str = "192.0.2.1:5123"

    @property
    def is_upgrade(self) -> bool:
        """Whether it asks for a WebSocket."""
        return any(
            name == b"upgrade" and value.lower() == b"websocket"
            for name, value in self.headers
        )

    def head(self) -> RequestHead:
        """Return it as http hands it on."""
        path, _, query = self.path.partition("?")
        headers = list(self.headers)
        if not any(name == b"host" for name, _ in headers):
            headers.insert(0, (b"host", b"example.com"))
        return RequestHead(
            method=self.method,
            path=path,
            raw_path=path.encode(),
            query_string=query.encode(),
            headers=headers,
            http_version="1.1",
            scheme="http",
            client=self.client,
            server=("192.0.2.99", 80),
        )


class RecordingExchange:
    """One request; a test is the client.

    Attributes:
        status: the status of the answer, 0 while there is none.
        headers: its header fields.
        content: its body, as far as it was written.
        complete: whether the answer has ended.
        aborted: whether the connection was cut.
        reading: whether the connection is read.
        stream: the connection after an upgrade.
        unsent_bytes: set it to what the client has not taken yet.
    """

    def __init__(self, request: Request) -> None:
        self.head = request.head()
        self.status = 0
        self.headers: Headers = []
        self.content = b""
        self.complete = False
        self.aborted = False
        self.reading = True
        self.stream: RecordingStream | None = None
        self.unsent_bytes = 0
        self._body = request.body
        self._is_upgrade = request.is_upgrade
        self._closed: list[Callable[[], None]] = []

    def leave(self) -> None:
        """Let the client go."""
        if self.stream is not None:
            self.stream.hang_up()
        elif not self.complete:
            self.complete = True
            for call in self._closed:
                call()

    async def body(self, limit: int) -> bytes:
        """Return the body; a longer one is answered as http does."""
        if len(self._body) > limit:
            self.respond(_TOO_LARGE)
            raise RemoteProtocolError("the body is too long", status=_TOO_LARGE)
        return self._body

    def respond(
        self,
        status: int,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
    ) -> None:
        """Record an answer."""
        self.start(status, headers)
        self.write(body)
        self.finish()

    def start(self, status: int, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Record the beginning of an answer."""
        if self.status:
            raise LocalProtocolError("it was answered already")
        self.status, self.headers = status, list(headers)

    def write(self, data: bytes) -> None:
        """Record a part of the body."""
        self.content += data

    def finish(self) -> None:
        """Record the end of the body."""
        self.complete = True

    def abort(self) -> None:
        """Record that the connection was cut."""
        if not self.aborted:
            self.aborted = True
            self.leave()

    def upgrade(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        accept: Callable[[Stream], StreamHandler],
    ) -> None:
        """Hand the connection over."""
        if not self._is_upgrade:
            raise LocalProtocolError("the client did not ask")
        self.start(_SWITCHING, headers)
        self.stream = RecordingStream(self.head.client)
        self.stream.begin(accept)

    def on_closed(self, call: Callable[[], None]) -> None:
        """Keep a call for when the client leaves."""
        self._closed.append(call)

    def hold(self, reading: bool) -> None:
        """Record whether the connection is read."""
        self.reading = reading
