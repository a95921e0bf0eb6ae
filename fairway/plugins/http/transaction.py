"""One request and its answer, from the head to the last byte."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from fairway.kit import Content, RequestHead
from fairway.plugins.http.answer import Answer
from fairway.plugins.http.head import Head
from fairway.plugins.http.spec import INLINE_BODY
from fairway.plugins.http.steps import End, Fetch, HttpStep, Send, Store

__all__ = ["Transaction"]

_CLIENT_LEFT = 499
"""nginx's number for a client that left before its answer; in the access log only."""


class Transaction(Struct, eq=False):
    """The state of one request; the mapping moves it on."""

    head: Head | None
    """None when it could not be read."""
    answer: Answer
    """Nothing of it began."""
    client: str
    """Whom the connection is with, in case nothing better is known."""
    complete: bool
    """Whether all of it was received."""
    is_last: bool
    """Whether what follows on the connection is no request, as far as one knows."""
    fault: int = 0
    """The status that answers a request that could not be read."""
    request_head: RequestHead | None = None
    started: float = 0.0
    begun: bool = False
    """Whether it is its turn on the connection."""
    mounted: bool = False
    """Whether a mount answers it."""
    dispatched: bool = False
    """Whether a consumer may know of it."""
    wants_body: bool = True
    limit: int = 0
    """Bytes that the body may have."""
    received: int = 0
    spooled: bool = False
    """Whether the body is on disk."""
    body_channel: str = ""
    credit_channel: str = ""
    # The body, as long as it is short.
    _parts: list[bytes] = []
    # Bytes on disk that the consumer did not ask for yet, and did not get yet.
    _unfetched: int = 0
    _unsent: int = 0
    # Parts of the answer for which there was no room to give credit.
    _credit_owed: int = 0

    @property
    def ends_connection(self) -> bool:
        """Whether all was received that the client wants to send, by its own word."""
        return self.complete and self.head is not None and not self.head.keep_alive

    @property
    def expects_continue(self) -> bool:
        """Whether the client sends its body only when it is told to."""
        return (
            self.head is not None and self.head.expects_continue and not self.received
        )

    @property
    def is_too_long(self) -> bool:
        """Whether the body is longer than it may be, or will be."""
        announced = 0 if self.head is None else self.head.length
        return max(announced, self.received) > self.limit

    def keep(self, data: bytes) -> Store | None:
        """Keep a part of the body: in memory, or, when it gets long, on disk."""
        if self.spooled:
            return Store(data)
        self._parts.append(data)
        if self.received <= INLINE_BODY:
            return None
        self.spooled = True
        parts, self._parts = self._parts, []
        return Store(b"".join(parts))

    def event(self, body_channel: str) -> Content:
        """Return the own keys of `http.request`.

        Args:
            body_channel: where the body is pulled, when it is on disk.
        """
        head = self.head
        assert head is not None
        body = b""
        if self._parts:
            body, self._parts = b"".join(self._parts), []
        content: Content = {
            "method": head.method,
            "http_version": head.http_version,
            "raw_path": head.raw_path,
            "body": body,
        }
        if self.spooled:
            self.body_channel = content["body_channel"] = body_channel
            self._unfetched = self._unsent = self.received
            content["body_size"] = self.received
        return content

    def pull(self, count: int) -> Iterator[Fetch]:
        """Return what to read from disk when the consumer asks for so many chunks."""
        for _ in range(count):
            if not self._unfetched:
                break
            size = min(self._unfetched, INLINE_BODY)
            self._unfetched -= size
            yield Fetch(size)

    def chunk(self, data: bytes) -> Send:
        """Return the message that carries a chunk of the body to the consumer."""
        self._unsent -= len(data)
        content = {"content": data, "more_content": self._unsent > 0}
        return Send(self.body_channel, content)

    def credit(self, parts: int, *, room: bool) -> Iterator[Send]:
        """Return the credit for parts of the answer that the host took.

        Args:
            room: whether there is room for more; if not, the credit is owed.
        """
        if not self.credit_channel:
            return
        self._credit_owed += parts
        if room and self._credit_owed:
            yield Send(self.credit_channel, {"credit": self._credit_owed})
            self._credit_owed = 0

    def end(self, steps: list[HttpStep], now: float) -> None:
        """Add what is to be done when it is over."""
        if self._unsent:
            steps.append(Send(self.body_channel, {"closed": True}))
        head, request_head = self.head, self.request_head
        steps.append(
            End(
                "-" if head is None else head.method,
                b"-" if head is None else head.raw_path,
                self.answer.status or _CLIENT_LEFT,
                now - self.started,
                self.client if request_head is None else request_head.client,
                "" if request_head is None else request_head.request_id,
            )
        )
