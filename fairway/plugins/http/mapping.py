"""One HTTP/1.1 connection (RFC 9112): requests in, one answer after another out.

Requests are answered one at a time and in order. While one waits for its answer, the
heads of the following ones are read, up to `max_pipelined`; a body is read only when it
is the turn of its request.
"""

from __future__ import annotations

from collections.abc import Callable

from fairway.kit import Content, Headers, LocalProtocolError, Refusal, Write
from fairway.plugins.http.answering import Answering
from fairway.plugins.http.course import Course
from fairway.plugins.http.intake import Intake
from fairway.plugins.http.pace import Phase
from fairway.plugins.http.replies import read_reply
from fairway.plugins.http.steps import HttpStep, Leave, Send, Switch, Unreadable
from fairway.plugins.http.surroundings import Connection, Surroundings
from fairway.plugins.http.taking import Taking
from fairway.plugins.http.transaction import Transaction

__all__ = ["HttpMapping"]

_MAX_PULL = 64
"""Chunks of a body that one reply may ask for."""
_REFUSALS = {
    Refusal.FULL: 503,
    Refusal.UNAVAILABLE: 503,
    Refusal.TOO_LARGE: 413,
    Refusal.FAILED: 500,
    Refusal.FILTERED: 403,
    Refusal.LIMIT: 429,
}


class HttpMapping:
    """The semantics of one connection. Pure: it returns steps and calls nobody."""

    __slots__ = (
        "_answering",
        "_course",
        "_intake",
        "_parser",
        "_queue",
        "_surroundings",
        "_taking",
        "next_deadline",
    )

    def __init__(self, surroundings: Surroundings, connection: Connection) -> None:
        intake = Intake(surroundings, connection.origin.client)
        course = Course(surroundings, intake)
        answering = Answering(course, intake, connection.epoch)
        self._surroundings = surroundings
        self._intake = intake
        self._parser = intake.parser
        self._queue = intake.queue
        self._course = course
        self._answering = answering
        self._taking = Taking(
            surroundings, connection, course, intake=intake, answering=answering
        )
        self.next_deadline: Callable[[], float | None] = course.next_deadline
        """Returns when `deadline_passed` wants to be called, None for never."""

    # What happens on the wire.

    def opened(self, now: float) -> None:
        """The connection is there."""
        self._course.due = now + self._surroundings.config.header_timeout

    def received(self, data: bytes, now: float) -> list[HttpStep]:
        """Bytes arrived, cut anywhere."""
        steps: list[HttpStep] = []
        if self._course.phase < Phase.LINGER:
            self._parser.receive(data)
            self._advance(steps, now)
        elif self._course.phase == Phase.LINGER:
            self._course.linger_on(now)
        return steps

    def closed(self, now: float) -> list[HttpStep]:
        """The connection has ended."""
        steps: list[HttpStep] = []
        self._course.leave()
        if self._queue and self._queue[0].begun:
            current = self._queue[0]
            if current.dispatched:
                steps.append(Leave("http.disconnect"))
            if current.credit_channel:
                steps.append(Send(current.credit_channel, {"closed": True}))
            current.end(steps, now)
        self._queue.clear()
        return steps

    def deadline_passed(self, now: float, backlog: int) -> list[HttpStep]:
        """The deadline has passed.

        Args:
            backlog: bytes of `Write` steps that the client did not take yet.
        """
        steps: list[HttpStep] = []
        course = self._course
        if course.is_stalled(now, backlog):
            course.abort("the client takes nothing", steps)
            return steps
        if course.due is None or course.due > now:
            return steps
        match course.phase:
            case Phase.IDLE if backlog:
                course.wait(Phase.IDLE, now)
            case Phase.LINGER if backlog and not course.is_lingered_out(now):
                course.linger_on(now)
            case Phase.IDLE | Phase.LINGER:
                course.hang_up("idle", steps)
            case Phase.HEAD:
                self._intake.add_fault(408)
            case Phase.BODY:
                self._answering.fail(408, steps, now)
            case Phase.DISK | Phase.ANSWER:
                self._answering.fail(504, steps, now)
        self._advance(steps, now)
        return steps

    # What the bus says.

    def reply(self, content: Content, now: float, *, room: bool) -> list[HttpStep]:
        """A consumer sent content to the reply channel of the current request.

        Args:
            room: whether more of the answer can be kept for the client.

        Raises:
            LocalProtocolError: http cannot carry it; call `failed`.
        """
        current = self._queue[0] if self._queue else None
        begun = current is not None and bool(current.answer.status)
        reply = read_reply(content, begun=begun)
        steps: list[HttpStep] = []
        if current is None or self._course.phase >= Phase.LINGER:
            return steps
        if reply.abort:
            current.dispatched = False
            self._course.abort("a consumer said so", steps)
            return steps
        if reply.pull:
            steps.extend(current.pull(min(reply.pull, _MAX_PULL)))
        if reply.credit_channel:
            current.credit_channel = reply.credit_channel
        if reply.is_answer or reply.close:
            self._course.due = now + self._surroundings.config.part_timeout
            self._answering.carry(reply, steps, now)
            if reply.more:
                steps.extend(current.credit(1, room=room))
            self._advance(steps, now)
        return steps

    def room(self) -> list[HttpStep]:
        """More of the answer can be kept again."""
        return list(self._queue[0].credit(0, room=True)) if self._queue else []

    def failed(self, now: float) -> list[HttpStep]:
        """What a consumer or a mount wanted could not be carried."""
        return self._fail(500, now)

    def refused(self, why: Refusal, now: float) -> list[HttpStep]:
        """The current request's event did not get through."""
        return self._fail(_REFUSALS[why], now)

    def unanswered(self, now: float) -> list[HttpStep]:
        """Nobody will answer the current request; one whose answer began goes on."""
        waits = self._course.phase == Phase.ANSWER and not self._queue[0].answer.status
        return self._fail(503, now) if waits else []

    def not_admitted(self, full: bool, now: float) -> list[HttpStep]:
        """A limit stands before the current request.

        Args:
            full: whether it is the server's, else it is the address's.
        """
        return self._fail(503 if full else 429, now)

    # What the disk says.

    def flushed(self, now: float) -> list[HttpStep]:
        """The whole body is on disk."""
        steps: list[HttpStep] = []
        if self._course.phase == Phase.DISK:
            self._taking.dispatch(self._queue[0], steps, now)
        return steps

    def fetched(self, data: bytes) -> list[HttpStep]:
        """A part of the body was read from disk."""
        if not self._queue or not self._queue[0].spooled:
            return []
        return [self._queue[0].chunk(data)]

    def disk_failed(self, now: float) -> list[HttpStep]:
        """A body cannot be kept on disk."""
        return self._fail(503, now)

    # What a mount does with the current request.

    def want_body(self, limit: int, now: float) -> list[HttpStep]:
        """The mount wants the body, unless it is longer than `limit` bytes."""
        steps: list[HttpStep] = []
        self._taking.want_body(limit, steps, now)
        self._advance(steps, now)
        return steps

    def begin_answer(
        self, status: int, headers: Headers, body: bytes | None, now: float
    ) -> list[HttpStep]:
        """Answer, with the whole body or None for one that follows in parts.

        Raises:
            LocalProtocolError: it is answered already, or a header is not allowed.
        """
        steps: list[HttpStep] = []
        self._answering.begin(status, headers, body, steps, now=now)
        if body is not None:
            self._advance(steps, now)
        return steps

    def add_part(self, data: bytes, now: float, *, last: bool) -> list[HttpStep]:
        """Continue the answer.

        Raises:
            LocalProtocolError: it has not begun, or is not as long as it said.
        """
        steps: list[HttpStep] = []
        self._answering.add(data, steps, now, last=last)
        if last:
            self._advance(steps, now)
        return steps

    def switch(self, headers: Headers, now: float) -> list[HttpStep]:
        """Let the mount go on with the connection in another protocol.

        Raises:
            LocalProtocolError: it is answered already, or the client did not ask.
        """
        current = self._queue[0]
        if current.head is None or not current.head.upgrade:
            raise LocalProtocolError("the client did not ask for an upgrade")
        upgrade = current.head.upgrade.encode("ascii")
        steps: list[HttpStep] = [Write(current.answer.switch(upgrade, headers))]
        current.end(steps, now)
        self._queue.clear()
        self._course.leave()
        steps.append(Switch(self._parser.leftover()))
        return steps

    def stop(self, now: float, idle: float = 0.0) -> list[HttpStep]:
        """The server stops: what is in flight is answered, nothing follows.

        Args:
            idle: seconds in which a request that is on its way may still arrive; its
                answer tells the client to close.
        """
        self._course.stop(now, idle)
        steps: list[HttpStep] = []
        self._advance(steps, now)
        return steps

    # How it goes on.

    def _advance(self, steps: list[HttpStep], now: float) -> None:
        """Go on as far as what was received and answered allows."""
        queue, parser, course = self._queue, self._parser, self._course
        while course.phase < Phase.LINGER:
            if queue and not queue[0].begun:
                self._taking.begin(queue[0], steps, now)
            elif not parser.ready or (arrival := self._intake.next()) is None:
                break
            elif not isinstance(arrival, Transaction):
                self._taking.take(arrival, steps, now)
            elif arrival.head is None and not queue[0].complete:
                # The body is broken: no answer stands for itself behind it.
                del queue[1:]
                steps.append(Unreadable(arrival.fault))
                self._answering.fail(arrival.fault, steps, now)
        course.settle(steps, now)

    def _fail(self, status: int, now: float) -> list[HttpStep]:
        """End the current request, if there is one, because of something outside."""
        steps: list[HttpStep] = []
        if self._queue and self._course.phase < Phase.LINGER:
            self._answering.fail(status, steps, now)
            self._advance(steps, now)
        return steps
