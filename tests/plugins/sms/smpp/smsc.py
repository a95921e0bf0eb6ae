"""SMSCs for tests: `smpp34.Server`, and a bare one that says no."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from smpp34 import Esme, Server, SubmitSmEvent

from fairway.kit import Secret
from fairway.plugins.sms.provider import Incoming, Status
from fairway.plugins.sms.smpp import SmppProvider
from fairway.plugins.sms.smpp_pdu import Frames, make, read
from fairway.plugins.sms.spec import SmsConfig
from fairway.testing.recording import RecordingHost
from tests.support.processes import free_port

__all__ = ["Account", "Smsc", "bare_smsc", "eventually", "polite"]

T = TypeVar("T")
Events = asyncio.Queue[Any]


async def eventually(predicate: Callable[[], object], what: str = "") -> None:
    """Wait until something is true."""
    async with asyncio.timeout(20):
        while not predicate():  # noqa: ASYNC110 -- a real wire has no event for it
            await asyncio.sleep(0.005)


class LiveHost(RecordingHost):
    """Runs what is spawned."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[asyncio.Task[None]] = []

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))


class Account:
    """A provider with a plugin around it that takes what comes in.

    Attributes:
        taking: False to say that the bus does not take it.
    """

    def __init__(self, port: int, **settings: Any) -> None:
        given: dict[str, Any] = {
            "smpp_url": f"smpp://127.0.0.1:{port}",
            "system_id": "fairway",
            "password": Secret("secret"),
        }
        self.host = LiveHost()
        self.texts: list[Incoming] = []
        self.reports: list[Status] = []
        self.taking = True
        self.provider = SmppProvider(
            SmsConfig(**given | settings), self.host, self._text, self._report
        )

    async def _text(self, text: Incoming) -> bool:
        if self.taking:
            self.texts.append(text)
        return self.taking

    async def _report(self, report: Status) -> bool:
        self.reports.append(report)
        return self.taking

    async def __aenter__(self) -> Account:
        await self.provider.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.provider.stop()
        for task in self.host.tasks:
            task.cancel()
        await asyncio.gather(*self.host.tasks, return_exceptions=True)


class Smsc:
    """A running `smpp34.Server`.

    Attributes:
        submitted: what was submitted.
        decide: gets each and returns its message's id, or a status to refuse with; None
            leaves it unanswered.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self.submitted: list[SubmitSmEvent] = []
        self.sessions: list[Esme] = []
        self.decide: Callable[[SubmitSmEvent], str | int | None] = self._number
        self.server = Server("127.0.0.1", self.port)
        self._task: asyncio.Task[None] | None = None

    def _number(self, event: SubmitSmEvent) -> str:
        return f"m{len(self.submitted)}"

    async def __aenter__(self) -> Smsc:
        await self.server.start()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.server.stop()

    async def _run(self) -> None:
        while True:
            event = await self.server.next()
            if isinstance(event, Esme):
                self.sessions.append(event)
            elif isinstance(event, SubmitSmEvent):
                self.submitted.append(event)
                answer = self.decide(event)
                if isinstance(answer, str):
                    event.accept(answer)
                elif answer is not None:
                    event.reject(answer)

    async def session(self) -> Esme:
        await eventually(lambda: self.sessions)
        return self.sessions[-1]


async def bare_smsc(
    work: Callable[[int, list[Any]], Awaitable[T]],
    answer: Callable[[Any], bytes | None],
    tls: ssl.SSLContext | None = None,
) -> T:
    """Run work with a server whose answers are ours; it gets its port and what came."""
    seen: list[Any] = []
    connections = 0
    ended = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections, ended
        connections += 1
        frames = Frames()
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                for frame in frames.feed(data):
                    pdu = read(frame)
                    seen.append(pdu)
                    told = answer(pdu)
                    if told is not None:
                        writer.write(told)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        ended += 1

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        return await work(server.sockets[0].getsockname()[1], seen)
    finally:
        server.close()
        await eventually(lambda: ended == connections)


def polite(pdu: Any) -> bytes:
    """Answer as an SMSC that is content with everything."""
    return make(f"{pdu.command}_resp", pdu.sequence)
