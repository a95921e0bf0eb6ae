"""The wire without sockets: time that a test moves, streams and ports that record."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from fairway.core.exceptions import PeerRefused
from fairway.core.plugin.wire import DatagramHandler, Stream, StreamHandler

__all__ = ["ManualClock", "RecordingListener", "RecordingPort", "RecordingStream"]


class _ManualTimer:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class ManualClock:
    """Time that stands still until `advance` is called."""

    def __init__(self, start: float = 1_000.0) -> None:
        self._now = start
        self._timers: list[tuple[float, int, _ManualTimer]] = []
        self._number = itertools.count()

    def now(self) -> float:
        """Return the time."""
        return self._now

    def call_at(self, when: float, call: Callable[[], None]) -> _ManualTimer:
        """Call once the time is `when`."""
        timer = _ManualTimer(call)
        heapq.heappush(self._timers, (when, next(self._number), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Let time pass, and make the calls that are due, each at its time."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            if timer.call is not None:
                timer.call()
        self._now = end


class RecordingStream:
    """The protocol's end of a connection; a test is the other end.

    Attributes:
        written: what the protocol wrote, and the other end took.
        unsent: what it wrote while `stalled`.
        stalled: whether the other end takes nothing; set it.
        reading: whether the protocol reads; what is fed meanwhile waits.
        closed: whether the connection has ended.
        half_closed: whether the protocol said that nothing follows.
        aborted: whether the protocol cut it.
    """

    def __init__(self, client: str = "192.0.2.1:5123", *, secure: bool = False) -> None:
        self.client = client
        self.server: tuple[str, int | None] = ("192.0.2.99", 7000)
        self.secure = secure
        self.written = b""
        self.unsent = b""
        self.stalled = False
        self.reading = True
        self.closed = False
        self.half_closed = False
        self.aborted = False
        self._handler: StreamHandler | None = None
        self._early: list[bytes] = []

    def begin(self, accept: Callable[[Stream], StreamHandler]) -> RecordingStream:
        """Let the protocol accept the connection; it is cut when it refuses."""
        try:
            handler = accept(self)
        except PeerRefused:
            self.abort()
            return self
        if self.closed:  # while it was accepted
            handler.closed("")
        else:
            self._handler = handler
        return self

    def feed(self, data: bytes) -> None:
        """Send bytes to the protocol."""
        if self.closed or not data:
            return
        if self.reading and self._handler is not None:
            self._handler.received(data)
        else:
            self._early.append(data)

    def take(self) -> bytes:
        """Return and forget what the protocol wrote."""
        taken, self.written = self.written, b""
        return taken

    def catch_up(self) -> None:
        """Take everything that waits."""
        self.stalled = False
        self.written += self.unsent
        self.unsent = b""
        if self._handler is not None:
            self._handler.writable(True)

    def hang_up(self, reason: str = "") -> None:
        """End the connection from the other end."""
        self._end(reason)

    def write(self, data: bytes) -> None:
        """Record bytes."""
        if self.closed:
            return
        if not self.stalled:
            self.written += data
            return
        self.unsent += data
        if self._handler is not None:
            self._handler.writable(False)

    def half_close(self) -> None:
        """Record that nothing follows."""
        self.half_closed = True

    def close(self) -> None:
        """End the connection; a stalled one takes the rest first."""
        self.written += self.unsent
        self.unsent = b""
        self._end("")

    def abort(self) -> None:
        """End the connection and drop what waits."""
        self.aborted = True
        self.unsent = b""
        self._end("aborted")

    def hold(self, reading: bool) -> None:
        """Stop or resume reading."""
        self.reading = reading
        while self.reading and self._early and self._handler is not None:
            self._handler.received(self._early.pop(0))

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the other end has not taken."""
        return len(self.unsent)

    def _end(self, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.closed(reason)


class RecordingListener:
    """A place where a test connects."""

    def __init__(
        self, endpoint: str, accept: Callable[[Stream], StreamHandler]
    ) -> None:
        self.address = endpoint
        self.port = 0
        self.listening = True
        self._accept = accept

    def connect(self, client: str = "192.0.2.1:5123") -> RecordingStream:
        """Connect.

        Raises:
            ConnectionRefusedError: nobody listens any more.
        """
        if not self.listening:
            raise ConnectionRefusedError(self.address)
        return RecordingStream(client).begin(self._accept)

    async def close(self) -> None:
        """Stop accepting."""
        self.listening = False


class RecordingPort:
    """A datagram port; a test is everybody else."""

    def __init__(self, number: int, handler: DatagramHandler) -> None:
        self.address = ("192.0.2.99", number)
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.closed = False
        self._handler = handler

    def feed(self, data: bytes, sender: tuple[str, int] = ("192.0.2.1", 5123)) -> None:
        """Send a datagram to the protocol."""
        self._handler.received(self, data, sender)

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        """Record a datagram."""
        self.sent.append((data, address))

    async def close(self) -> None:
        """Give the port back."""
        self.closed = True
