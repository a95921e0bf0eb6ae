"""Takes a connection's requests: from the head to the event, or to the mount."""

from __future__ import annotations

from fairway.plugins.http.answering import Answering
from fairway.plugins.http.course import Course
from fairway.plugins.http.intake import Intake
from fairway.plugins.http.mounts import NotAllowed
from fairway.plugins.http.pace import Phase
from fairway.plugins.http.parser import BodyReceived, RequestCompleted
from fairway.plugins.http.steps import (
    Dispatch,
    EndBody,
    Feed,
    Flush,
    HttpStep,
    Open,
    Skipped,
    Unreadable,
)
from fairway.plugins.http.surroundings import Connection, Surroundings
from fairway.plugins.http.transaction import Transaction

__all__ = ["Taking"]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Taking:
    """Finds out whose a request is, and waits for its body where that is wanted.

    Methods append what is to be done to `steps`.
    """

    __slots__ = (
        "_answering",
        "_bodies",
        "_connection",
        "_course",
        "_parser",
        "_queue",
        "_surroundings",
    )

    def __init__(
        self,
        surroundings: Surroundings,
        connection: Connection,
        course: Course,
        *,
        intake: Intake,
        answering: Answering,
    ) -> None:
        self._surroundings = surroundings
        self._connection = connection
        self._course = course
        self._answering = answering
        self._parser = intake.parser
        self._queue = intake.queue
        self._bodies = 0

    def begin(self, current: Transaction, steps: list[HttpStep], now: float) -> None:
        """It is the request's turn."""
        current.begun = True
        current.started = now
        head = current.head
        if head is None:
            steps.append(Unreadable(current.fault))
            self._answering.say(current.fault, steps, now)
            return
        if head.dropped:
            steps.append(Skipped(head.dropped))
        current.request_head = self._surroundings.request_head(head, self._connection)
        found = self._surroundings.mounts.match(head.method, head.path, head.upgrade)
        if found is None and current.complete:
            self.dispatch(current, steps, now)
        elif found is None:
            self._begin_own(current, steps, now)
        elif isinstance(found, NotAllowed):
            value = ", ".join(found.allow).encode("latin-1")
            self._answering.say(405, steps, now, (b"Allow", value))
        else:
            current.mounted = True
            current.wants_body = False
            self._course.wait(Phase.MOUNT, now)
            steps.append(Open(found, current.request_head))

    def want_body(self, limit: int, steps: list[HttpStep], now: float) -> None:
        """The mount wants the body, unless it is longer than `limit` bytes."""
        current = self._queue[0]
        current.limit = limit
        current.wants_body = True
        if current.complete:
            steps.append(EndBody())
        elif current.is_too_long:
            self._answering.fail(413, steps, now)
        else:
            self._await_body(current, steps, now)

    def take(
        self,
        arrival: BodyReceived | RequestCompleted,
        steps: list[HttpStep],
        now: float,
    ) -> None:
        """Something of the current request's body arrived, or its end."""
        current = self._queue[0]
        if isinstance(arrival, BodyReceived):
            self._take_body(current, arrival.data, steps, now)
        else:
            current.complete = True
            self._take_end(current, steps, now)

    def dispatch(self, current: Transaction, steps: list[HttpStep], now: float) -> None:
        """Let a consumer hear of the request, all of which is there."""
        self._course.wait(Phase.ANSWER, now)
        current.dispatched = True
        channel = ""
        if current.spooled:
            self._bodies += 1
            channel = self._surroundings.body_channel(self._connection, self._bodies)
        assert current.request_head is not None
        event = current.event(channel)
        steps.append(Dispatch(current.request_head, "http.request", event))

    def _begin_own(
        self, current: Transaction, steps: list[HttpStep], now: float
    ) -> None:
        current.limit = self._surroundings.config.max_body
        if current.is_too_long:
            self._answering.say(413, steps, now)
        else:
            self._await_body(current, steps, now)

    def _await_body(
        self, current: Transaction, steps: list[HttpStep], now: float
    ) -> None:
        self._course.wait(Phase.BODY, now)
        if current.expects_continue and not self._parser.buffered:
            self._course.write(_CONTINUE, steps, now)

    def _take_body(
        self, current: Transaction, data: bytes, steps: list[HttpStep], now: float
    ) -> None:
        current.received += len(data)
        self._course.wait(Phase.BODY, now)
        if current.is_too_long:
            self._answering.fail(413, steps, now)
        elif current.mounted:
            steps.append(Feed(data))
        elif (store := current.keep(data)) is not None:
            steps.append(store)

    def _take_end(
        self, current: Transaction, steps: list[HttpStep], now: float
    ) -> None:
        if current.mounted:
            self._course.wait(Phase.MOUNT, now)
            steps.append(EndBody())
        elif current.spooled:
            # A consumer hears of a body only when it is sure to get it.
            self._course.wait(Phase.DISK, now)
            steps.append(Flush())
        else:
            self.dispatch(current, steps, now)
