"""One connection to an SMSC, from its bind to its loss."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, cast

from fairway.plugins.sms.smpp_pdu import Frames, Pdu, make, read

__all__ = ["Link", "LinkLost"]

_LAST_SEQUENCE = 0x7FFF_FFFF
_INVALID_COMMAND = 0x03
_TRY_LATER = 0x64
_MOST_AT_ONCE = 64
"""Requests of the SMSC that wait for the bus; beyond that it is told to try later."""


class LinkLost(ConnectionError):
    """The connection ended before the answer came.

    Attributes:
        written: whether the request had left.
    """

    def __init__(self, *, written: bool) -> None:
        self.written = written
        super().__init__("the connection to the SMSC was lost")


class Link(asyncio.Protocol):
    """Sends requests, matches their answers, and hands over what the SMSC asks.

    Args:
        take: gets each `deliver_sm` and returns the status to answer.

    Attributes:
        lost: is done when the connection has ended.
    """

    def __init__(self, take: Callable[[Pdu], Awaitable[int]]) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._take = take
        self._frames = Frames()
        self._answers: dict[int, asyncio.Future[Pdu]] = {}
        self._taking: set[asyncio.Task[None]] = set()
        self._sequence = 0
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(
        cls,
        address: tuple[str, int],
        tls: ssl.SSLContext | None,
        take: Callable[[Pdu], Awaitable[int]],
    ) -> Link:
        """Connect; raises OSError."""
        loop = asyncio.get_running_loop()
        _, link = await loop.create_connection(lambda: cls(take), *address, ssl=tls)
        return link

    async def ask(self, command: str, **fields: Any) -> Pdu:
        """Send a request and return the answer, whatever its status.

        Raises:
            LinkLost: the connection is lost.
        """
        if self._transport is None or self._transport.is_closing():
            raise LinkLost(written=False)
        self._sequence = self._sequence % _LAST_SEQUENCE + 1
        sequence = self._sequence
        answer = asyncio.get_running_loop().create_future()
        self._answers[sequence] = answer
        try:
            self._transport.write(make(command, sequence, **fields))
            return await answer
        finally:
            self._answers.pop(sequence, None)

    async def watch(self, interval: float, timeout: float) -> None:
        """Ask for a sign of life every so often, until the connection ends."""
        while not self.lost.done():
            await asyncio.wait([self.lost], timeout=interval)
            try:
                async with asyncio.timeout(timeout):
                    await self.ask("enquire_link")
            except LinkLost:
                return
            except TimeoutError:
                self.abort()

    async def unbind(self, timeout: float) -> None:
        """Say that we go, and end."""
        with contextlib.suppress(LinkLost, TimeoutError):
            async with asyncio.timeout(timeout):
                await self.ask("unbind")
        self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        # uvloop's transports do what `asyncio.Transport` does, and are none.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        try:
            frames = self._frames.feed(data)
        except ValueError:
            self.abort()
            return
        for frame in frames:
            self._received(frame)

    def connection_lost(self, error: Exception | None) -> None:
        """End everything that waits."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(LinkLost(written=True))
        for task in self._taking:
            task.cancel()
        if not self.lost.done():
            self.lost.set_result(None)

    def _received(self, frame: bytes) -> None:
        try:
            pdu = read(frame)
        except ValueError as error:
            sequence = getattr(error, "sequence", 0)
            if not frame[4] & 0x80:  # a request
                self._write(make("generic_nack", sequence, status=_INVALID_COMMAND))
            return
        if pdu.is_response():
            answer = self._answers.get(pdu.sequence)
            if answer is not None and not answer.done():
                answer.set_result(pdu)
        elif pdu.command == "deliver_sm":
            self._deliver(pdu)
        elif pdu.command == "enquire_link":
            self._write(make("enquire_link_resp", pdu.sequence))
        elif pdu.command == "unbind":
            self._write(make("unbind_resp", pdu.sequence))
            if self._transport is not None:
                self._transport.close()
        elif pdu.command != "alert_notification":  # which is not answered
            self._write(make("generic_nack", pdu.sequence, status=_INVALID_COMMAND))

    def _deliver(self, pdu: Pdu) -> None:
        if len(self._taking) >= _MOST_AT_ONCE:
            self._write(make("deliver_sm_resp", pdu.sequence, status=_TRY_LATER))
            return
        task = asyncio.get_running_loop().create_task(self._taken(pdu))
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)

    async def _taken(self, pdu: Pdu) -> None:
        status = await self._take(pdu)
        self._write(make("deliver_sm_resp", pdu.sequence, status=status))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
