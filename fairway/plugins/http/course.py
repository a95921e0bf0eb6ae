"""How far one connection has got: what it waits for, until when, and how it ends."""

from __future__ import annotations

from fairway.kit import Hangup, Write
from fairway.plugins.http.intake import Intake
from fairway.plugins.http.pace import LINGER, LINGER_AT_MOST, Phase, Progress
from fairway.plugins.http.steps import Abort, Hold, HttpStep, Linger
from fairway.plugins.http.surroundings import Surroundings

__all__ = ["Course"]


class Course:
    """What taking a request, answering it and ending the connection have in common.

    Methods with `steps` append what is to be done to them.
    """

    __slots__ = (
        "_intake",
        "_linger_until",
        "_parser",
        "_progress",
        "_queue",
        "_reading",
        "_stop_idle",
        "_times",
        "due",
        "phase",
        "stopping",
    )

    def __init__(self, surroundings: Surroundings, intake: Intake) -> None:
        self.phase: int = Phase.IDLE
        """What is waited for."""
        self.due: float | None = None
        """Until when, None for ever."""
        self.stopping = False
        """Whether the server stops."""
        self._intake = intake
        self._parser = intake.parser
        self._queue = intake.queue
        self._times = surroundings.times
        self._progress = Progress(surroundings.config.write_timeout)
        self._reading = True
        self._stop_idle = 0.0
        self._linger_until = 0.0

    def next_deadline(self) -> float | None:
        """Return when time is up, for what is waited for or for a client that takes
        nothing; None for never."""
        due, write_due = self.due, self._progress.due
        if due is None or (write_due is not None and write_due < due):
            return write_due
        return due

    def is_stalled(self, now: float, backlog: int) -> bool:
        """Return whether a client with `backlog` bytes to take has taken nothing."""
        return self._progress.is_stalled(now, backlog)

    def wait(self, phase: int, now: float) -> None:
        """Wait for something else from now on."""
        self.phase = phase
        time = self._times[phase]
        self.due = None if time is None else now + time

    def settle(self, steps: list[HttpStep], now: float) -> None:
        """See what is waited for, and whether to read meanwhile."""
        phase = self.phase
        reading = not self._queue or self._intake.wants_bytes or phase >= Phase.LINGER
        if not self._queue and phase < Phase.LINGER:
            if self._parser.buffered:
                if phase != Phase.HEAD:
                    self.wait(Phase.HEAD, now)
            elif self.stopping and now < self._stop_idle:
                due = self._stop_idle if self.due is None else self.due
                self.due = min(due, self._stop_idle)
            elif self.stopping:
                self.hang_up("the server stops", steps)
        if reading is not self._reading:
            self._reading = reading
            steps.append(Hold(reading))

    def write(self, data: bytes, steps: list[HttpStep], now: float) -> None:
        """Send bytes, which the client has to take in time."""
        if data:
            self._progress.wrote(len(data), now)
            steps.append(Write(data))

    # How it ends.

    def stop(self, now: float, idle: float) -> None:
        """The server stops; see `HttpMapping.stop`."""
        self.stopping = True
        self._stop_idle = now + idle
        if self.phase == Phase.LINGER:
            self.due = self._linger_until = min(now + LINGER, self._linger_until)

    def linger(self, steps: list[HttpStep], now: float) -> None:
        """Say that nothing follows, and let the client read it."""
        self._queue.clear()
        self._linger_until = now + (LINGER if self.stopping else LINGER_AT_MOST)
        self.wait(Phase.LINGER, now)
        steps.append(Linger())

    def linger_on(self, now: float) -> None:
        """Go on lingering: the client still sends, or still reads."""
        self.due = min(now + LINGER, self._linger_until)

    def is_lingered_out(self, now: float) -> bool:
        """Return whether the client had all the time it may have to go."""
        return now >= self._linger_until

    def hang_up(self, reason: str, steps: list[HttpStep]) -> None:
        """Close the connection once everything is sent."""
        self._queue.clear()
        self.phase = Phase.CLOSED
        self.due = None
        steps.append(Hangup(reason))

    def abort(self, reason: str, steps: list[HttpStep]) -> None:
        """Cut the connection."""
        # The queue stays: `closed` tells everybody.
        self.leave()
        steps.append(Abort(reason))

    def leave(self) -> None:
        """Wait for nothing any more: the connection is somebody else's, or nobody's."""
        self.phase = Phase.CLOSED
        self.due = self._progress.due = None
