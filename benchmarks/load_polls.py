"""A load generator of waiting polls: connections that ask, wait and may ask again."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from benchmarks.load_http import answer_size
from benchmarks.server import Server

__all__ = ["Polls", "open_polls"]

_AT_ONCE = 50
_TIMEOUT = 60.0


class Polls:
    """Connections to one server, each with a poll.

    A poll of fairway belongs to a conversation, which is begun on its connection; a
    poll of a peer is a request and nothing else.
    """

    def __init__(self, server: Server) -> None:
        self.port = server.port
        self.has_conversations = not server.target.peer
        self.all: list[_Poll] = []
        self.answered = 0
        self.last = 0.0
        """When the last answer came."""
        self.why = ""
        """Why one was refused last."""
        self._missing = 0
        self._complete = asyncio.Event()

    async def grow(self, count: int) -> None:
        """Connect until there are so many."""
        while len(self.all) < count:
            many = min(_AT_ONCE, count - len(self.all))
            self.all += await asyncio.gather(*(self._open() for _ in range(many)))

    async def ask(self, pace: float | None = None) -> None:
        """Let every connection wait for an answer.

        Args:
            pace: how many ask in a second; all at once when there is none.
        """
        self._missing = len(self.all)
        self.answered = 0
        self._complete.clear()
        began = time.perf_counter()
        for number, poll in enumerate(self.all):
            if pace and (early := began + number / pace - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            poll.ask()

    async def wait(self) -> None:
        """Wait until every connection has its answer, or was refused.

        Raises:
            RuntimeError: all were refused, or some never had an answer.
        """
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._complete.wait()
        except TimeoutError:
            raise RuntimeError(f"{self._missing} polls were not answered") from None
        if not self.answered:
            raise RuntimeError(f"all polls were refused: {self.why}")

    def heard(self, *, well: bool) -> None:
        """A poll has its answer."""
        self.answered += well
        self._missing -= 1
        if not self._missing:
            self.last = time.perf_counter()
            self._complete.set()

    async def _open(self) -> _Poll:
        loop = asyncio.get_running_loop()
        _, poll = await loop.create_connection(
            lambda: _Poll(self), "127.0.0.1", self.port
        )
        if self.has_conversations:
            await poll.begin()
        return poll


class _Poll(asyncio.Protocol):
    __slots__ = (
        "_after",
        "_begun",
        "_buffer",
        "_polls",
        "_token",
        "_waits",
        "transport",
    )

    def __init__(self, polls: Polls) -> None:
        self._polls = polls
        self._buffer = b""
        self._token = ""
        self._after = 0
        self._waits = False
        self._begun: asyncio.Future[None] | None = None

    async def begin(self) -> None:
        """Begin a conversation in the group `all`."""
        self._begun = asyncio.get_running_loop().create_future()
        self.transport.write(
            b"POST /poll/group/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/json\r\nContent-Length: 0\r\n\r\n"
        )
        async with asyncio.timeout(_TIMEOUT):
            await self._begun

    def ask(self) -> None:
        """Ask for what comes next."""
        self._waits = True
        self._buffer = b""
        if self.transport.is_closing():
            self._failed(ConnectionError("closed"))
            return
        query, field = "", ""
        if self._token:
            query, field = f"?after={self._after}", f"Fairway-Token: {self._token}\r\n"
        self.transport.write(
            f"GET /poll/{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n{field}\r\n".encode()
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer = self._buffer + data
        try:
            size = answer_size(buffer)
        except RuntimeError as error:
            self._failed(error)
            return
        if size is None:
            return
        self._buffer = b""
        if self._begun is not None and not self._begun.done():
            body = json.loads(buffer[buffer.find(b"\r\n\r\n") + 4 :])
            self._token = body["token"]
            self._begun.set_result(None)
            return
        self._after += 1
        self._waits = False
        self._polls.heard(well=True)

    def connection_lost(self, error: Exception | None) -> None:
        self._failed(error or ConnectionError("closed"))

    def _failed(self, error: Exception) -> None:
        if self._begun is not None and not self._begun.done():
            self._begun.set_exception(RuntimeError(str(error)))
        elif self._waits:
            self._waits = False
            self._polls.why = str(error)
            self._polls.heard(well=False)


@asynccontextmanager
async def open_polls(server: Server) -> AsyncIterator[Polls]:
    """Keep connections while the block lasts."""
    polls = Polls(server)
    try:
        yield polls
    finally:
        for poll in polls.all:
            poll.transport.abort()
        # They close in the next turn of the loop; a server waits for those that do not.
        await asyncio.sleep(0.1)
