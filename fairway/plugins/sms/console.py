"""The provider for development: prints texts, as Django's console backend does mail."""

from __future__ import annotations

import itertools
import sys
from typing import ClassVar

from fairway.kit import Host
from fairway.plugins.sms import segments
from fairway.plugins.sms.provider import (
    Outgoing,
    Provider,
    Sent,
    TakeIncoming,
    TakeStatus,
)
from fairway.plugins.sms.spec import SmsConfig

__all__ = ["ConsoleProvider"]

_RULE = "-" * 72


class ConsoleProvider(Provider):
    """Writes each text to standard output; nobody can text it."""

    name: ClassVar[str] = "console"

    def __init__(
        self, config: SmsConfig, host: Host, incoming: TakeIncoming, status: TakeStatus
    ) -> None:
        super().__init__(config, host, incoming, status)
        self._numbers = itertools.count(1)

    async def send(self, message: Outgoing) -> Sent:
        """Print a text."""
        sent = Sent(
            id=f"console-{next(self._numbers)}", segments=segments.count(message.text)
        )
        lines = [
            f"To: {message.to}",
            f"From: {message.sender}",
            f"Segments: {sent.segments}",
            *(f"Media: {_printable(url)}" for url in message.media),
            "",
            *map(_printable, message.text.split("\n")),
            _RULE,
        ]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        return sent


def _printable(text: str) -> str:
    """Return a line that a terminal shows and does not obey."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
