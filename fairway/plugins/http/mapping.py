"""One HTTP/1.1 connection (RFC 9112): requests in, one answer after another out.

Requests are answered one at a time and in order. While one waits for its answer, the
heads of the following ones are read, up to `max_pipelined`; a body is read only when it
is the turn of its request.
"""

from __future__ import annotations

from fairway.kit import (
    Content,
    Hangup,
    Headers,
    LocalProtocolError,
    Refusal,
    Write,
)
from fairway.plugins.http.answer import plain_text
from fairway.plugins.http.intake import Intake
from fairway.plugins.http.mounts import NotAllowed
from fairway.plugins.http.pace import LINGER, LINGER_AT_MOST, Phase, Progress
from fairway.plugins.http.parser import BodyReceived, RequestCompleted
from fairway.plugins.http.replies import Reply, read_reply
from fairway.plugins.http.steps import (
    Abort,
    Dispatch,
    EndBody,
    Feed,
    Flush,
    Hold,
    HttpStep,
    Leave,
    Linger,
    Open,
    Send,
    Skipped,
    Switch,
    Unreadable,
)
from fairway.plugins.http.surroundings import Connection, Surroundings
from fairway.plugins.http.transaction import Transaction

__all__ = ["HttpMapping"]

_MAX_PULL = 64
"""Chunks of a body that one reply may ask for."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_RETRY_AFTER = (b"Retry-After", b"5")
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
        "_bodies",
        "_connection",
        "_due",
        "_intake",
        "_linger_until",
        "_parser",
        "_phase",
        "_progress",
        "_queue",
        "_reading",
        "_stop_idle",
        "_stopping",
        "_surroundings",
    )

    def __init__(self, surroundings: Surroundings, connection: Connection) -> None:
        self._surroundings = surroundings
        self._connection = connection
        self._intake = Intake(surroundings, connection.origin.client)
        self._parser = self._intake.parser
        self._progress = Progress(surroundings.config.write_timeout)
        self._queue = self._intake.queue
        self._phase: int = Phase.IDLE
        self._due: float | None = None
        self._reading = True
        self._stopping = False
        self._stop_idle = 0.0
        self._bodies = 0
        self._linger_until = 0.0

    # What happens on the wire.

    def opened(self, now: float) -> None:
        """The connection is there."""
        self._due = now + self._surroundings.config.header_timeout

    def received(self, data: bytes, now: float) -> list[HttpStep]:
        """Bytes arrived, cut anywhere."""
        steps: list[HttpStep] = []
        if self._phase < Phase.LINGER:
            self._parser.receive(data)
            self._advance(steps, now)
        elif self._phase == Phase.LINGER:
            self._due = min(now + LINGER, self._linger_until)
        return steps

    def closed(self, now: float) -> list[HttpStep]:
        """The connection has ended."""
        steps: list[HttpStep] = []
        self._phase = Phase.CLOSED
        self._due = None
        if self._queue and self._queue[0].begun:
            current = self._queue[0]
            if current.dispatched:
                steps.append(Leave("http.disconnect"))
            if current.credit_channel:
                steps.append(Send(current.credit_channel, {"closed": True}))
            current.end(steps, now)
        self._queue.clear()
        return steps

    def next_deadline(self) -> float | None:
        """Return when `deadline_passed` wants to be called, None for never."""
        due, write_due = self._due, self._progress.due
        if due is None or (write_due is not None and write_due < due):
            return write_due
        return due

    def deadline_passed(self, now: float, backlog: int) -> list[HttpStep]:
        """The deadline has passed.

        Args:
            backlog: bytes of `Write` steps that the client did not take yet.
        """
        steps: list[HttpStep] = []
        if self._progress.is_stalled(now, backlog):
            return self._abort("the client takes nothing")
        if self._due is None or self._due > now:
            return steps
        config = self._surroundings.config
        match self._phase:
            case Phase.IDLE if backlog:
                self._due = now + config.keep_alive
            case Phase.LINGER if backlog and now < self._linger_until:
                self._due = min(now + LINGER, self._linger_until)
            case Phase.IDLE | Phase.LINGER:
                self._hang_up("idle", steps)
            case Phase.HEAD:
                self._intake.add_fault(408)
            case Phase.BODY:
                self._fail(408, steps, now)
            case Phase.DISK | Phase.ANSWER:
                self._fail(504, steps, now)
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
        if current is None or self._phase >= Phase.LINGER:
            return []
        steps: list[HttpStep] = []
        if reply.abort:
            current.dispatched = False
            return self._abort("a consumer said so")
        if reply.pull:
            steps.extend(current.pull(min(reply.pull, _MAX_PULL)))
        if reply.credit_channel:
            current.credit_channel = reply.credit_channel
        if reply.is_answer or reply.close:
            self._due = now + self._surroundings.config.part_timeout
            self._carry(reply, steps, now)
            if reply.more:
                steps.extend(current.credit(1, room=room))
            self._advance(steps, now)
        return steps

    def room(self) -> list[HttpStep]:
        """More of the answer can be kept again."""
        return list(self._queue[0].credit(0, room=True)) if self._queue else []

    def failed(self, now: float) -> list[HttpStep]:
        """What a consumer or a mount wanted could not be carried."""
        return self._answered(500, now)

    def refused(self, why: Refusal, now: float) -> list[HttpStep]:
        """The current request's event did not get through."""
        return self._answered(_REFUSALS[why], now)

    def unanswered(self, now: float) -> list[HttpStep]:
        """Nobody will answer the current request; one whose answer began goes on."""
        waits = self._phase == Phase.ANSWER and not self._queue[0].answer.status
        return self._answered(503, now) if waits else []

    def not_admitted(self, full: bool, now: float) -> list[HttpStep]:
        """A limit stands before the current request.

        Args:
            full: whether it is the server's, else it is the address's.
        """
        return self._answered(503 if full else 429, now)

    # What the disk says.

    def flushed(self, now: float) -> list[HttpStep]:
        """The whole body is on disk."""
        steps: list[HttpStep] = []
        if self._phase == Phase.DISK:
            self._dispatch(self._queue[0], steps, now)
        return steps

    def fetched(self, data: bytes) -> list[HttpStep]:
        """A part of the body was read from disk."""
        if not self._queue or not self._queue[0].spooled:
            return []
        return [self._queue[0].chunk(data)]

    def disk_failed(self, now: float) -> list[HttpStep]:
        """A body cannot be kept on disk."""
        return self._answered(503, now)

    # What a mount does with the current request.

    def want_body(self, limit: int, now: float) -> list[HttpStep]:
        """The mount wants the body, unless it is longer than `limit` bytes."""
        current = self._queue[0]
        steps: list[HttpStep] = []
        current.limit = limit
        current.wants_body = True
        if current.complete:
            return [EndBody()]
        if current.is_too_long:
            self._fail(413, steps, now)
        else:
            self._await_body(current, steps, now)
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
        current = self._queue[0]
        self._write(self._head_of(current, status, headers, body, now=now), steps, now)
        if body is not None:
            self._finish(steps, now)
            self._advance(steps, now)
        return steps

    def add_part(self, data: bytes, now: float, *, last: bool) -> list[HttpStep]:
        """Continue the answer.

        Raises:
            LocalProtocolError: it has not begun, or is not as long as it said.
        """
        answer = self._queue[0].answer
        if not answer.status:
            raise LocalProtocolError("the answer has not begun")
        steps: list[HttpStep] = []
        self._write(answer.part(data) + (answer.end() if last else b""), steps, now)
        if last:
            self._finish(steps, now)
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
        self._phase = Phase.CLOSED
        self._due = self._progress.due = None
        steps.append(Switch(self._parser.leftover()))
        return steps

    def stop(self, now: float, idle: float = 0.0) -> list[HttpStep]:
        """The server stops: what is in flight is answered, nothing follows.

        Args:
            idle: seconds in which a request that is on its way may still arrive; its
                answer tells the client to close.
        """
        self._stopping = True
        self._stop_idle = now + idle
        if self._phase == Phase.LINGER:
            self._due = self._linger_until = min(now + LINGER, self._linger_until)
        steps: list[HttpStep] = []
        self._advance(steps, now)
        return steps

    # How it goes on.

    def _advance(self, steps: list[HttpStep], now: float) -> None:
        """Go on as far as what was received and answered allows."""
        queue, parser = self._queue, self._parser
        while self._phase < Phase.LINGER:
            if queue and not queue[0].begun:
                self._begin(queue[0], steps, now)
            elif not parser.ready or (arrival := self._intake.next()) is None:
                break
            elif not isinstance(arrival, Transaction):
                self._take(arrival, steps, now)
            elif arrival.head is None and not queue[0].complete:
                # The body is broken: no answer stands for itself behind it.
                del queue[1:]
                steps.append(Unreadable(arrival.fault))
                self._fail(arrival.fault, steps, now)
        self._settle(steps, now)

    def _settle(self, steps: list[HttpStep], now: float) -> None:
        """See what is waited for, and whether to read meanwhile."""
        phase = self._phase
        reading = not self._queue or self._intake.wants_bytes or phase >= Phase.LINGER
        if not self._queue and phase < Phase.LINGER:
            if self._parser.buffered:
                if phase != Phase.HEAD:
                    self._wait(Phase.HEAD, now)
            elif self._stopping and now < self._stop_idle:
                due = self._stop_idle if self._due is None else self._due
                self._due = min(due, self._stop_idle)
            elif self._stopping:
                self._hang_up("the server stops", steps)
        if reading is not self._reading:
            self._reading = reading
            steps.append(Hold(reading))

    def _wait(self, phase: int, now: float) -> None:
        self._phase = phase
        time = self._surroundings.times[phase]
        self._due = None if time is None else now + time

    # A request.

    def _begin(self, current: Transaction, steps: list[HttpStep], now: float) -> None:
        current.begun = True
        current.started = now
        head = current.head
        if head is None:
            steps.append(Unreadable(current.fault))
            self._answer_status(current.fault, steps, now)
            return
        if head.dropped:
            steps.append(Skipped(head.dropped))
        current.request_head = self._surroundings.request_head(head, self._connection)
        found = self._surroundings.mounts.match(head.method, head.path, head.upgrade)
        if found is None:
            self._begin_own(current, steps, now)
        elif isinstance(found, NotAllowed):
            value = ", ".join(found.allow).encode("latin-1")
            self._answer_status(405, steps, now, (b"Allow", value))
        else:
            current.mounted = True
            current.wants_body = False
            self._wait(Phase.MOUNT, now)
            steps.append(Open(found, current.request_head))

    def _begin_own(
        self, current: Transaction, steps: list[HttpStep], now: float
    ) -> None:
        if current.complete:
            self._dispatch(current, steps, now)
            return
        current.limit = self._surroundings.config.max_body
        if current.is_too_long:
            self._answer_status(413, steps, now)
        else:
            self._await_body(current, steps, now)

    def _await_body(
        self, current: Transaction, steps: list[HttpStep], now: float
    ) -> None:
        self._wait(Phase.BODY, now)
        if current.expects_continue and not self._parser.buffered:
            self._write(_CONTINUE, steps, now)

    def _take(
        self,
        arrival: BodyReceived | RequestCompleted,
        steps: list[HttpStep],
        now: float,
    ) -> None:
        current = self._queue[0]
        if isinstance(arrival, BodyReceived):
            self._take_body(current, arrival.data, steps, now)
        else:
            current.complete = True
            self._take_end(current, steps, now)

    def _take_body(
        self, current: Transaction, data: bytes, steps: list[HttpStep], now: float
    ) -> None:
        current.received += len(data)
        self._wait(Phase.BODY, now)
        if current.is_too_long:
            self._fail(413, steps, now)
        elif current.mounted:
            steps.append(Feed(data))
        elif (store := current.keep(data)) is not None:
            steps.append(store)

    def _take_end(
        self, current: Transaction, steps: list[HttpStep], now: float
    ) -> None:
        if current.mounted:
            self._wait(Phase.MOUNT, now)
            steps.append(EndBody())
        elif current.spooled:
            # A consumer hears of a body only when it is sure to get it.
            self._wait(Phase.DISK, now)
            steps.append(Flush())
        else:
            self._dispatch(current, steps, now)

    def _dispatch(
        self, current: Transaction, steps: list[HttpStep], now: float
    ) -> None:
        self._wait(Phase.ANSWER, now)
        current.dispatched = True
        channel = ""
        if current.spooled:
            self._bodies += 1
            channel = self._surroundings.body_channel(self._connection, self._bodies)
        assert current.request_head is not None
        event = current.event(channel)
        steps.append(Dispatch(current.request_head, "http.request", event))

    # An answer.

    def _carry(self, reply: Reply, steps: list[HttpStep], now: float) -> None:
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
            written = self._head_of(current, status, reply.headers, body, now=now)
            if reply.more:
                written += current.answer.part(data)
        else:
            self._answer_status(reply.close, steps, now)
            return
        self._write(written, steps, now)
        if not reply.more:
            self._finish(steps, now)

    def _head_of(
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
            self._stopping and len(self._queue) == 1 and not self._parser.buffered
        ):
            answer.close = True
        return answer.begin(status, headers, body, now + self._connection.epoch)

    def _answered(self, status: int, now: float) -> list[HttpStep]:
        """End the current request, if there is one, because of something outside."""
        steps: list[HttpStep] = []
        if self._queue and self._phase < Phase.LINGER:
            self._fail(status, steps, now)
            self._advance(steps, now)
        return steps

    def _fail(self, status: int, steps: list[HttpStep], now: float) -> None:
        current = self._queue[0]
        if not current.answer.status:
            self._answer_status(status, steps, now)
            return
        # Only a cut connection tells the client that the rest is missing.
        current.dispatched = False
        steps.extend(self._abort("an answer cannot be completed"))

    def _answer_status(
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
        self._write(self._head_of(current, status, headers, body, now=now), steps, now)
        self._finish(steps, now)

    def _finish(self, steps: list[HttpStep], now: float) -> None:
        """The current request has its answer."""
        current = self._queue.pop(0)
        current.end(steps, now)
        if not current.answer.close:
            self._wait(Phase.IDLE, now)
        elif current.ends_connection and not self._parser.buffered:
            self._hang_up("answered", steps)
        else:
            self._queue.clear()
            self._linger_until = now + (LINGER if self._stopping else LINGER_AT_MOST)
            self._wait(Phase.LINGER, now)
            steps.append(Linger())

    def _hang_up(self, reason: str, steps: list[HttpStep]) -> None:
        self._queue.clear()
        self._phase = Phase.CLOSED
        self._due = None
        steps.append(Hangup(reason))

    def _abort(self, reason: str) -> list[HttpStep]:
        # The queue stays: `closed` tells everybody.
        self._phase = Phase.CLOSED
        self._due = self._progress.due = None
        return [Abort(reason)]

    def _write(self, data: bytes, steps: list[HttpStep], now: float) -> None:
        if data:
            self._progress.wrote(len(data), now)
            steps.append(Write(data))
