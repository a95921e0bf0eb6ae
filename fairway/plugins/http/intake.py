"""The requests of one connection that wait for their turn, and when to read on."""

from __future__ import annotations

from typing import TypeAlias

from fairway.plugins.http.answer import Answer
from fairway.plugins.http.head import Head
from fairway.plugins.http.parser import (
    BodyReceived,
    Malformed,
    RequestCompleted,
    RequestParser,
)
from fairway.plugins.http.surroundings import Surroundings
from fairway.plugins.http.transaction import Transaction

__all__ = ["Arrival", "Intake"]

Arrival: TypeAlias = Transaction | BodyReceived | RequestCompleted


class Intake:
    """Reads ahead, in bounds: `max_pipelined` heads, a body never before its turn.

    It reads on behind a request that waits, as long as little is read ahead, because
    only reading tells that the client has left.

    Args:
        client: whom the connection is with.
    """

    __slots__ = ("_client", "_max_pipelined", "_surroundings", "parser", "queue")

    def __init__(self, surroundings: Surroundings, client: str) -> None:
        self.queue: list[Transaction] = []
        """Requests without a complete answer; the first one is the current one."""
        self.parser = RequestParser(surroundings.config)
        self._client = client
        self._surroundings = surroundings
        self._max_pipelined = surroundings.config.max_pipelined

    @property
    def wants_bytes(self) -> bool:
        """Whether the connection is to be read, although a request waits."""
        return (
            len(self.queue) < self._max_pipelined
            and self.parser.buffered < self._surroundings.read_ahead
        ) or self._wants_events

    def next(self) -> Arrival | None:
        """Return what came next: a request, which is queued, or some of its body."""
        if self.queue and not self._wants_events:
            return None
        event = self.parser.next_event()
        if isinstance(event, Head):
            answer = Answer(
                event.http_version,
                event.method == "HEAD",
                self._surroundings.server,
                not event.keep_alive,
            )
            is_last = not event.keep_alive or event.upgrade != ""
            transaction = Transaction(
                event, answer, self._client, event.length == 0, is_last
            )
            self.queue.append(transaction)
            return transaction
        if isinstance(event, Malformed):
            return self.add_fault(event.status)
        return event

    def add_fault(self, status: int) -> Transaction:
        """Queue an answer to what will not become a request."""
        answer = Answer(server=self._surroundings.server)
        transaction = Transaction(None, answer, self._client, True, True, status)
        self.queue.append(transaction)
        return transaction

    @property
    def _wants_events(self) -> bool:
        """Whether anything may come behind the last request of the queue."""
        last = self.queue[-1]
        if not last.complete:
            return last.begun and last.wants_body
        return len(self.queue) < self._max_pipelined and not last.is_last
