"""The wire as a protocol sees it: streams, datagrams and time, without a library."""

from __future__ import annotations

import typing
from collections.abc import Callable

__all__ = [
    "Clock",
    "DatagramHandler",
    "DatagramPort",
    "Listener",
    "Stream",
    "StreamHandler",
    "Timer",
]


class Stream(typing.Protocol):
    """A connection of ordered bytes. All methods belong to the loop's thread."""

    client: str
    """Display address of the other end: `192.0.2.1:5123`, `[2001:db8::1]:5123`, or
    `unix`."""
    server: tuple[str, int | None]
    """Address and port that were connected to."""
    secure: bool
    """Whether TLS ends here."""

    def write(self, data: bytes) -> None:
        """Send bytes; what the other end does not take is queued."""

    def half_close(self) -> None:
        """Tell the other end, behind everything queued, that nothing follows.

        What it sends still arrives. Streams that cannot say so (TLS) do nothing.
        """

    def close(self) -> None:
        """Close when everything queued was sent.

        What arrives and is not read takes back what the other end did not read yet:
        after an answer to input that goes on, `half_close` and read until it ends.
        """

    def abort(self) -> None:
        """Close now and drop what is queued."""

    def hold(self, reading: bool) -> None:
        """Stop (False) or resume (True) reading."""

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the other end has not taken yet, as far as this process knows."""


class StreamHandler(typing.Protocol):
    """Who is told what happens on a stream."""

    def received(self, data: bytes) -> None:
        """Bytes arrived; never called with none."""

    def writable(self, ready: bool) -> None:
        """The other end takes less than is sent (False), or caught up (True)."""

    def closed(self, reason: str) -> None:
        """The stream has ended; the last call."""


class Listener(typing.Protocol):
    """A place where connections are accepted."""

    address: str
    """Where it listens: `127.0.0.1:8000`, or a path."""
    port: int
    """The port, 0 when it has none."""

    async def close(self) -> None:
        """Stop accepting; open connections stay."""


class DatagramPort(typing.Protocol):
    """A bound datagram socket."""

    address: tuple[str, int]
    """Address and port that it is bound to."""

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        """Send one datagram; a failure is logged, not raised."""

    async def close(self) -> None:
        """Give the port back."""


class DatagramHandler(typing.Protocol):
    """Who is told what arrives on a datagram port."""

    def received(
        self, port: DatagramPort, data: bytes, address: tuple[str, int]
    ) -> None:
        """A datagram arrived, possibly an empty one."""


class Timer(typing.Protocol):
    """A call that is due."""

    def cancel(self) -> None:
        """Do not call; silent when it was called."""


class Clock(typing.Protocol):
    """Time in seconds, steady, with an arbitrary start."""

    def now(self) -> float:
        """Return the time."""

    def call_at(self, when: float, call: Callable[[], None]) -> Timer:
        """Call at `when` or up to a tenth of a second later, never before."""
