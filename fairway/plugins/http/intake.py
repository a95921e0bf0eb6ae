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
    """

    __slots__ = ("_parser", "_surroundings", "queue")

    def __init__(self, surroundings: Surroundings) -> None:
        self.queue: list[Transaction] = []
        """Requests without a complete answer; the first one is the current one."""
        self._surroundings = surroundings
        self._parser = RequestParser(surroundings.config)

    @property
    def buffered(self) -> int:
        """Bytes of which no request was made yet."""
        return self._parser.buffered

    @property
    def wants_bytes(self) -> bool:
        """Whether the connection is to be read."""
        if not self.queue or self._wants_events:
            return True
        surroundings = self._surroundings
        return (
            len(self.queue) < surroundings.config.max_pipelined
            and self._parser.buffered < surroundings.read_ahead
        )

    def receive(self, data: bytes) -> None:
        """Take bytes, cut anywhere."""
        self._parser.receive(data)

    def next(self) -> Arrival | None:
        """Return what came next: a request, which is queued, or some of its body."""
        if self.queue and not self._wants_events:
            return None
        match event := self._parser.next_event():
            case Head() as head:
                answer = Answer(head, self._surroundings.server)
                transaction = Transaction(head, answer)
                self.queue.append(transaction)
                return transaction
            case Malformed(status=status):
                return self.add_fault(status)
            case _:
                return event

    def add_fault(self, status: int) -> Transaction:
        """Queue an answer to what will not become a request."""
        answer = Answer(None, self._surroundings.server)
        transaction = Transaction(None, answer, status)
        self.queue.append(transaction)
        return transaction

    def leftover(self) -> bytes:
        """Hand over the bytes that are not read; for another protocol to go on with."""
        return self._parser.leftover()

    @property
    def _wants_events(self) -> bool:
        """Whether anything may come behind the last request of the queue."""
        last = self.queue[-1]
        if not last.complete:
            return last.begun and last.wants_body
        limit = self._surroundings.config.max_pipelined
        return len(self.queue) < limit and not last.is_last
