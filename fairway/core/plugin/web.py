"""The HTTP contract of mounts: what a protocol on top of HTTP gets to see of it.

The http plugin implements it; websocket, long-poll, webhooks and the operator's
endpoints stand on it.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable
from typing import Any, Literal

from msgspec import Struct

from fairway.core.plugin.wire import Stream, StreamHandler

__all__ = ["Exchange", "Headers", "Mount", "MountPoint", "RequestHead"]

Headers = list[tuple[bytes, bytes]]
"""Header fields in the order of the wire; request names are lower case."""


class RequestHead(Struct, frozen=True):
    """A request without its body."""

    method: str
    path: str
    """Percent-decoded and decoded as UTF-8, always starting with `/`."""
    raw_path: bytes
    """The path as it stood on the wire, without the query string."""
    query_string: bytes
    headers: Headers
    http_version: str
    """`1.0` or `1.1`."""
    scheme: str
    """`http` or `https`, as a trusted proxy says."""
    client: str
    """Display address of the client, as a trusted proxy says: `192.0.2.1:5123`."""
    server: tuple[str, int | None]
    """Address and port that were connected to."""
    request_id: str = ""
    """What a trusted proxy calls the request in its logs, empty if none says."""

    def header(self, name: bytes) -> bytes | None:
        """Return a header's value, the first when it was sent more than once.

        Args:
            name: in lower case.
        """
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Exchange(typing.Protocol):
    """One request and its answer, on a connection that http keeps.

    Either `respond`, or `start`, `write` ... `finish`, or `upgrade`.
    """

    head: RequestHead

    async def body(self, limit: int) -> bytes:
        """Read the whole body.

        Args:
            limit: bytes; a longer body is answered with 413 by http itself.

        Raises:
            RemoteProtocolError: it is longer, or the client left.
        """

    def respond(
        self,
        status: int,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
    ) -> None:
        """Answer in one go; http adds Content-Length, Date and the like.

        Raises:
            LocalProtocolError: it was answered already, or a header is not allowed.
        """

    def start(self, status: int, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Begin an answer whose body follows by `write`; raises like `respond`."""

    def write(self, data: bytes) -> None:
        """Send a part of the body; what the client does not take is queued."""

    def finish(self) -> None:
        """End the body."""

    def abort(self) -> None:
        """Cut the connection."""

    def upgrade(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        accept: Callable[[Stream], StreamHandler],
    ) -> None:
        """Answer 101 with these headers and hand the connection over.

        `accept` is called with the stream at once; bytes that the client sent early
        come first.

        Raises:
            LocalProtocolError: it was answered already, or the client did not ask.
        """

    def on_closed(self, call: Callable[[], None]) -> None:
        """Call once when the client left before the answer was complete."""

    def hold(self, reading: bool) -> None:
        """Stop or resume reading from the connection."""

    @property
    def unsent_bytes(self) -> int:
        """Bytes of the answer that the client has not taken yet."""


class Mount(Struct, frozen=True, kw_only=True):
    """A place where a protocol stands on another one; declared by `fairway_mounts`.

    The longest matching prefix wins; with the same prefix, upgrades go to mounts that
    declare them and other requests to those that do not. `("/poll/",)` matches
    `/poll/` and what is below it; `("/",)` everything.
    """

    on: str = "http"
    """The protocol it stands on."""
    prefix: str = "/"
    """Start of the path."""
    methods: tuple[str, ...] = ()
    """Request methods; empty for all."""
    upgrade: Literal["websocket"] | None = None
    """The upgrade that the request must ask for, None for plain requests."""
    open: Callable[[Any, Exchange], None]
    """Called with the running protocol of the plugin that declared the mount and the
    exchange, when a request's head is complete."""


class MountPoint(Struct, frozen=True, kw_only=True):
    """A mount as the protocol below sees it: bound to the running protocol."""

    prefix: str
    methods: tuple[str, ...]
    upgrade: str | None
    plugin: str
    """Who declared it."""
    open: Callable[[Exchange], None]
