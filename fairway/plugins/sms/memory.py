"""The provider for tests: keeps texts in a list, as Django's `mail.outbox` does mail.

from fairway.plugins.sms import memory

memory.outbox[0].text
await memory.running[-1].text("+46701234567", "hello")
"""

from __future__ import annotations

import itertools
from typing import ClassVar

from fairway.kit import Host
from fairway.plugins.sms import segments
from fairway.plugins.sms.provider import (
    Incoming,
    Outgoing,
    Provider,
    Sent,
    Status,
    TakeIncoming,
    TakeStatus,
)
from fairway.plugins.sms.spec import SmsConfig

__all__ = ["MemoryProvider", "outbox", "running"]

outbox: list[Outgoing] = []
"""What was sent in this process."""
running: list[MemoryProvider] = []
"""The providers that run in this process."""

_numbers = itertools.count(1)


class MemoryProvider(Provider):
    """Takes every text; a test texts, and reports, by its methods."""

    name: ClassVar[str] = "memory"

    def __init__(
        self, config: SmsConfig, host: Host, incoming: TakeIncoming, status: TakeStatus
    ) -> None:
        super().__init__(config, host, incoming, status)
        self.to = next(iter(config.sender), "+15005550006")

    async def start(self) -> None:
        """Be found among `running`."""
        running.append(self)

    async def stop(self) -> None:
        """Be found no more."""
        running.remove(self)

    async def send(self, message: Outgoing) -> Sent:
        """Keep a text in `outbox`."""
        outbox.append(message)
        return Sent(
            id=f"memory-{next(_numbers)}", segments=segments.count(message.text)
        )

    async def text(self, sender: str, text: str, *, to: str = "", id: str = "") -> bool:
        """Text one of ours, by default the first sender of the settings.

        Returns:
            False when the bus did not take it.
        """
        return await self.incoming(
            Incoming(
                id=id or f"memory-{next(_numbers)}",
                sender=sender,
                to=to or self.to,
                text=text,
            )
        )

    async def report(self, id: str, to: str, status: str, code: str = "") -> bool:
        """Report on a text of ours; returns as `text` does."""
        return await self.status(Status(id=id, to=to, status=status, code=code))
