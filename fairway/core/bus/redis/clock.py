"""The server's clock as it is seen from here."""

from __future__ import annotations

__all__ = ["ServerClock"]

_EVERY = 0.1
"""Seconds after which the time is asked for again."""


class ServerClock:
    """Converts between the server's time and this process's `time.monotonic()`.

    An exchange ends with TIME now and then. The server read its clock between the
    moments when the exchange was sent and received, which gives bounds for the offset;
    the offset is moved only when it lies outside. So a slow answer changes nothing, and
    a clock that was set is followed with the next quick one.
    """

    __slots__ = ("_again", "_offset")

    def __init__(self) -> None:
        self._offset: float | None = None
        self._again = 0.0

    def wants(self, now: float) -> bool:
        """Return whether an exchange that is sent now, local time, should end so."""
        return now >= self._again

    def observe(self, sent: float, received: float, answer: list[bytes]) -> None:
        """Take the answer to a TIME that was on its way between two local times."""
        self._again = received + _EVERY
        server = int(answer[0]) + int(answer[1]) / 1_000_000
        low, high = server - received, server - sent
        if self._offset is None:
            self._offset = (low + high) / 2
        else:
            self._offset = min(max(self._offset, low), high)

    def server(self, local: float) -> float:
        """Return the server's time, in seconds, at a local time."""
        return local + (self._offset or 0.0)

    def local(self, server: float) -> float:
        """Return the local time at a time of the server's."""
        return server - (self._offset or 0.0)
