"""One request and its answer, from the head to the last byte."""

from __future__ import annotations

from fairway.kit import Content, RequestHead
from fairway.plugins.http.answer import Answer
from fairway.plugins.http.head import Head

__all__ = ["Transaction"]


class Transaction:
    """The state of one request; the mapping moves it on.

    Args:
        head: None when it could not be read.
        answer: nothing of it began.
        fault: the status that answers a request that could not be read.
    """

    __slots__ = (
        "answer",
        "begun",
        "body_channel",
        "complete",
        "credit_channel",
        "credit_owed",
        "dispatched",
        "fault",
        "head",
        "limit",
        "mounted",
        "parts",
        "received",
        "request_head",
        "spooled",
        "started",
        "unfetched",
        "unsent",
        "wants_body",
    )

    def __init__(self, head: Head | None, answer: Answer, fault: int = 0) -> None:
        self.head = head
        self.answer = answer
        self.fault = fault
        self.request_head: RequestHead | None = None
        self.started = 0.0
        self.begun = False
        """Whether it is its turn on the connection."""
        self.mounted = False
        """Whether a mount answers it."""
        self.dispatched = False
        """Whether a consumer may know of it."""
        self.complete = head is None or head.length == 0
        """Whether all of it was received."""
        self.wants_body = True
        self.limit = 0
        """Bytes that the body may have."""
        self.received = 0
        self.parts: list[bytes] = []
        """The body, as long as it is short."""
        self.spooled = False
        """Whether the body is on disk."""
        self.body_channel = ""
        self.unfetched = 0
        """Bytes on disk that the consumer did not ask for yet."""
        self.unsent = 0
        """Bytes on disk that were not sent to the consumer yet."""
        self.credit_channel = ""
        self.credit_owed = 0
        """Parts of the answer for which there was no room to give credit."""

    @property
    def is_last(self) -> bool:
        """Whether what follows on the connection is no request, as far as one knows."""
        return self.head is None or not self.head.keep_alive or bool(self.head.upgrade)

    def event(self) -> Content:
        """Return the own keys of `http.request`."""
        head = self.head
        assert head is not None
        content: Content = {
            "method": head.method,
            "http_version": head.http_version,
            "raw_path": head.raw_path,
            "body": b"".join(self.parts),
        }
        if self.spooled:
            content["body_channel"] = self.body_channel
            content["body_size"] = self.received
        return content
