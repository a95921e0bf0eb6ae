"""What the sms plugin asks of a provider: carry texts out, hand texts and reports in.

A provider knows one vendor's wire; numbers, opt-outs, order, retries and budgets are
the plugin's. All methods are called in the loop's thread and must not block it.
"""

from __future__ import annotations

import typing
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import ClassVar

from msgspec import Struct

from fairway.kit import Exchange, Host
from fairway.plugins.sms.spec import SmsConfig

__all__ = ["Incoming", "Outgoing", "Provider", "Sent", "Status", "Unsent", "Webhooks"]


class Outgoing(Struct, frozen=True, kw_only=True):
    """One message to one number."""

    to: str
    """E.164: `+46701234567`."""
    sender: str
    """A number or name of ours, or a messaging service of the vendor's."""
    text: str
    media: tuple[str, ...] = ()
    """URLs that the vendor fetches."""
    reference: str = ""
    """Ours, for logs."""


class Sent(Struct, frozen=True, kw_only=True):
    """The vendor took a message."""

    id: str
    """The vendor's name for it; reports carry it."""
    segments: int = 1


class Unsent(Exception):
    """The vendor did not take a message.

    Attributes:
        final: whether trying again is of no use (a wrong number, a refusal).
        retry_after: seconds that the vendor asked for, None when it said nothing.
        code: the vendor's own, for logs and reports.
    """

    def __init__(
        self,
        reason: str,
        *,
        final: bool,
        retry_after: float | None = None,
        code: str = "",
    ) -> None:
        self.final = final
        self.retry_after = retry_after
        self.code = code
        super().__init__(reason)


class Incoming(Struct, frozen=True, kw_only=True):
    """Somebody texted us."""

    id: str
    """The vendor's name for it: the same when it is handed in again."""
    sender: str
    """E.164, or a short code or name as the vendor gives it."""
    to: str
    """Which of ours was texted; replies go out from there."""
    text: str
    media: tuple[tuple[str, str], ...] = ()
    """(URL, MIME type) each."""
    keyword: str = ""
    """`stop`, `start` or `help` when the vendor says that it took the text as such."""


class Status(Struct, frozen=True, kw_only=True):
    """A delivery report."""

    id: str
    """Of `Sent.id`."""
    to: str
    """The number it is about."""
    status: str
    """queued, sent, delivered, undelivered, failed or read."""
    code: str = ""
    """The vendor's reason, when it failed."""


TakeIncoming = Callable[[Incoming], Awaitable[bool]]
"""False when the bus does not take it now: the vendor shall hand it in again."""
TakeStatus = Callable[[Status], Awaitable[bool]]


class Provider(ABC):
    """One vendor, with its section of the settings."""

    name: ClassVar[str]
    longest: ClassVar[int] = 1_600
    """UTF-16 units of one message that the vendor takes; it sees to the segments. The
    plugin cuts longer texts."""

    def __init__(
        self, config: SmsConfig, host: Host, incoming: TakeIncoming, status: TakeStatus
    ) -> None:
        self.config = config
        self.host = host
        self.incoming = incoming
        self.status = status

    async def start(self) -> None:  # noqa: B027 -- not every provider has one
        """Connect, where there is a lasting connection; raise ConfigurationError for
        settings that cannot work."""

    @abstractmethod
    async def send(self, message: Outgoing) -> Sent:
        """Hand a message to the vendor, within the config's `timeout`.

        Raises:
            Unsent: the vendor did not take it, or cannot be reached.
            TimeoutError: it was handed over and not answered, so nobody knows; it is
                given up rather than sent twice.
        """

    async def stop(self) -> None:  # noqa: B027 -- not every provider has one
        """End what goes on."""


@typing.runtime_checkable
class Webhooks(typing.Protocol):
    """A provider whose vendor calls us by HTTP; the plugin mounts it on `path`."""

    async def webhook(self, exchange: Exchange, body: bytes) -> None:
        """Check and answer a request to `path` + `incoming/` or `status/`.

        Raises:
            RemoteProtocolError: it is wrong; answered with its status (403 for a
                signature) and reason.
        """
