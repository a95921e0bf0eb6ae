"""Answers the current request of a connection: by a consumer, a mount, or a status."""

from __future__ import annotations

from fairway.kit import Headers, LocalProtocolError
from fairway.plugins.http.answer import plain_text
from fairway.plugins.http.course import Course
from fairway.plugins.http.intake import Intake
from fairway.plugins.http.pace import Phase
from fairway.plugins.http.replies import Reply
from fairway.plugins.http.steps import EndBody, HttpStep
from fairway.plugins.http.transaction import Transaction

__all__ = ["Answering"]

_RETRY_AFTER = (b"Retry-After", b"5")


class Answering:
    """Writes answers, and ends each request with its last byte.

    Methods with `steps` append what is to be done to them.

    Args:
        epoch: seconds since 1970 when the clock that `now` comes from stood at zero.
    """

    __slots__ = ("_course", "_epoch", "_parser", "_queue")

    def __init__(self, course: Course, intake: Intake, epoch: float) -> None:
        self._course = course
        self._parser = intake.parser
        self._queue = intake.queue
        self._epoch = epoch

    def carry(self, reply: Reply, steps: list[HttpStep], now: float) -> None:
        """Begin the answer, continue it or end it, as a consumer said.

        Raises:
            LocalProtocolError: it does not fit what was written so far.
        """
        current = self._queue[0]
        data = reply.data or b""
        if current.answer.status:
            if reply.status is not None or reply.headers:
                raise LocalProtocolError("the head of the answer is out already")
            written = current.answer.part(data)
            if not reply.more:
                written += current.answer.end()
        elif reply.is_answer:
            status = 200 if reply.status is None else reply.status
            body = None if reply.more else data
            written = self._head(current, status, reply.headers, body, now=now)
            if reply.more:
                written += current.answer.part(data)
        else:
            self.say(reply.close, steps, now)
            return
        self._course.write(written, steps, now)
        if not reply.more:
            self._finish(steps, now)

    def begin(
        self,
        status: int,
        headers: Headers,
        body: bytes | None,
        steps: list[HttpStep],
        *,
        now: float,
    ) -> None:
        """Answer, with the whole body or None for one that follows in parts.

        Raises:
            LocalProtocolError: it is answered already, or a header is not allowed.
        """
        head = self._head(self._queue[0], status, headers, body, now=now)
        self._course.write(head, steps, now)
        if body is not None:
            self._finish(steps, now)

    def add(
        self, data: bytes, steps: list[HttpStep], now: float, *, last: bool
    ) -> None:
        """Continue the answer.

        Raises:
            LocalProtocolError: it has not begun, or is not as long as it said.
        """
        answer = self._queue[0].answer
        if not answer.status:
            raise LocalProtocolError("the answer has not begun")
        written = answer.part(data) + (answer.end() if last else b"")
        self._course.write(written, steps, now)
        if last:
            self._finish(steps, now)

    def say(
        self,
        status: int,
        steps: list[HttpStep],
        now: float,
        *more_headers: tuple[bytes, bytes],
    ) -> None:
        """Answer with a status and nothing that came from the client."""
        current = self._queue[0]
        headers, body = plain_text(status)
        if status in (429, 503):
            headers.append(_RETRY_AFTER)
        headers.extend(more_headers)
        if current.mounted and not current.complete:
            steps.append(EndBody(f"the request was answered with {status}"))
        self.begin(status, headers, body, steps, now=now)

    def fail(self, status: int, steps: list[HttpStep], now: float) -> None:
        """Answer with a status, or cut what began already."""
        current = self._queue[0]
        if not current.answer.status:
            self.say(status, steps, now)
            return
        # Only a cut connection tells the client that the rest is missing.
        current.dispatched = False
        self._course.abort("an answer cannot be completed", steps)

    def _head(
        self,
        current: Transaction,
        status: int,
        headers: Headers,
        body: bytes | None,
        *,
        now: float,
    ) -> bytes:
        answer = current.answer
        if not current.complete or (
            # Nothing follows.
            self._course.stopping
            and len(self._queue) == 1
            and not self._parser.buffered
        ):
            answer.close = True
        return answer.begin(status, headers, body, now + self._epoch)

    def _finish(self, steps: list[HttpStep], now: float) -> None:
        """The current request has its answer."""
        current = self._queue.pop(0)
        current.end(steps, now)
        if not current.answer.close:
            self._course.wait(Phase.IDLE, now)
        elif current.ends_connection and not self._parser.buffered:
            self._course.hang_up("answered", steps)
        else:
            self._course.linger(steps, now)
