"""A blocking connection, for one thread at a time."""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from collections.abc import Sequence

from fairway.core.bus.redis.address import Address
from fairway.core.bus.redis.clock import ServerClock
from fairway.core.bus.redis.greeting import greeting, read_greeting
from fairway.core.bus.redis.resp import (
    TIME,
    Answer,
    Answers,
    Command,
    LinkDown,
    Missing,
    pack,
)

__all__ = ["Link", "reason_of"]

# From 128 KiB on malloc takes a buffer from the system and gives it back each time.
_BUFFER = 65_536


class Link:
    """Writes commands and reads their answers; measures the server's clock on the way.

    An answer that is missing ends the connection: a later command must never get it.

    Raises:
        LinkDown: there is no such server, or it cannot be used.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self.clock = ServerClock()
        self.heard = time.monotonic()
        """When the server was last known to answer."""
        self.closed = False
        self.failure: str | None = None
        """Why it was lost, None when it was not, or was closed on purpose."""
        self._socket = _connect(address, timeout)
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._answers = Answers()
        self._come: list[Answer] = []
        self._expected = 0
        self._sent = 0.0
        self._timed = False
        self._incoming = select.poll()
        self._incoming.register(self._socket, select.POLLIN)
        self._belled: select.poll | None = None
        try:
            answers = self.exchange(greeting(address), time.monotonic() + timeout)
            if self.failure is not None:
                raise LinkDown(self.failure)
            self.keys = read_greeting(answers)
        except BaseException:
            self.close()
            raise

    def exchange(
        self,
        commands: Sequence[Command],
        deadline: float,
        behind: Sequence[Command] = (),
    ) -> list[Answer]:
        """Write commands and return their answers; what has none has a `Missing`.

        Args:
            deadline: local time after which nobody waits any more.
            behind: commands that leave in the same write; their answers are to be read
                before anything else is written.
        """
        if not commands and not behind:
            return []
        count = len(commands)
        missing = Missing.NO_ANSWER
        try:
            self.write([*commands, *behind], deadline)
            # Without anything behind them all that was written is answered now.
            if self._fetch(count if behind else self._expected, deadline):
                come = self._come[:count]
                del self._come[:count]
                self._expected -= count
                if not behind:
                    self._finish()
                return come
            self.fail("no answer in time")
        except LinkDown as down:
            missing = missing if down.written else Missing.NOT_WRITTEN
        except BaseException:
            self.close()
            raise
        come = self._come[:count]
        return come + [missing] * (count - len(come))

    def write(self, commands: Sequence[Command], deadline: float) -> None:
        """Write commands; their answers are to be read before anything else is written.

        Raises:
            LinkDown: the connection is lost.
        """
        if self.closed:
            raise LinkDown(self.failure or "closed")
        self._come = []
        self._sent = time.monotonic()
        self._timed = self.clock.wants(self._sent)
        if self._timed:
            commands = [*commands, TIME]
        self._expected = len(commands)
        unsent = memoryview(pack(commands))
        size = len(unsent)
        while unsent:
            try:
                unsent = unsent[self._socket.send(unsent) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                if not self._wait(select.POLLOUT, deadline):
                    raise self._lost("takes nothing", len(unsent) < size) from None
            except OSError as error:
                raise self._lost(reason_of(error), len(unsent) < size) from None

    def read(
        self, deadline: float, bell: socket.socket | None = None
    ) -> list[Answer] | None:
        """Return the answers to what was written.

        Returns None at the deadline, or as soon as `bell` can be read; the next call
        goes on where this one stopped.

        Args:
            bell: always the same one.

        Raises:
            LinkDown: the connection is lost.
        """
        if self.closed:
            raise LinkDown(self.failure or "closed", written=True)
        return self._finish() if self._fetch(self._expected, deadline, bell) else None

    def is_stale(self) -> bool:
        """Return whether the server ended it, or said what nobody asked for."""
        return self.closed or bool(self._incoming.poll(0))

    def close(self) -> None:
        """End it."""
        self.closed = True
        self._socket.close()

    def fail(self, reason: str) -> None:
        """End it, because it is of no use any more."""
        if not self.closed:
            self.failure = reason
            self.close()

    def _fetch(
        self, count: int, deadline: float, bell: socket.socket | None = None
    ) -> bool:
        """Read until so many answers are there; False at the deadline or the bell."""
        # Nothing has come yet when this is called: asking first would be in vain.
        blocks = True
        while len(self._come) < count:
            if blocks and not self._wait(select.POLLIN, deadline, bell):
                return False
            try:
                size = self._socket.recv_into(self._view)
            except (BlockingIOError, ssl.SSLWantReadError):
                blocks = True
                continue
            except OSError as error:
                raise self._lost(reason_of(error), True) from None
            if not size:
                raise self._lost("the server closed the connection", True)
            blocks = False
            try:
                self._come += self._answers.feed(self._buffer, size)
            except LinkDown as down:
                raise self._lost(down.reason, True) from None
        self.heard = time.monotonic()
        return True

    def _finish(self) -> list[Answer]:
        """Return the answers that have come, all of them, without the time."""
        answers = self._come
        if self._timed and isinstance(moment := answers.pop(), list):
            self.clock.observe(self._sent, self.heard, moment)
        self._come, self._expected, self._timed = [], 0, False
        return answers

    def _wait(
        self, event: int, deadline: float, bell: socket.socket | None = None
    ) -> bool:
        """Wait for the socket; False when the deadline or the bell came first."""
        left = max(0.0, deadline - time.monotonic()) * 1000
        if event == select.POLLOUT:
            outgoing = select.poll()
            outgoing.register(self._socket, event)
            return bool(outgoing.poll(left))
        if bell is None:
            return bool(self._incoming.poll(left))
        if self._belled is None:
            self._belled = select.poll()
            self._belled.register(self._socket, select.POLLIN)
            self._belled.register(bell, select.POLLIN)
        mine = self._socket.fileno()
        return any(number == mine for number, _ in self._belled.poll(left))

    def _lost(self, reason: str, written: bool) -> LinkDown:
        self.fail(reason)
        return LinkDown(reason, written=written)


def reason_of(error: OSError) -> str:
    """Return an error of the operating system in its own words."""
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    if isinstance(error, TimeoutError):
        return "no connection in time"
    return os.strerror(error.errno) if error.errno else str(error)


def _connect(address: Address, timeout: float) -> socket.socket:
    connection: socket.socket | None = None
    try:
        if address.path:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(timeout)
            connection.connect(address.path)
        else:
            where = (address.host, address.port)
            connection = socket.create_connection(where, timeout)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if address.tls is not None:
            connection = address.tls.wrap_socket(
                connection, server_hostname=address.host
            )
        connection.setblocking(False)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, OSError):
            raise LinkDown(reason_of(error)) from None
        raise
    return connection
