"""The sms protocol as data: its settings, its events and what its replies may say."""

from __future__ import annotations

from typing import Any

from fairway.kit import Config, ConfigurationError, Event, ProtocolSpec, Secret
from fairway.plugins.sms.keywords import WORDS
from fairway.plugins.sms.numbers import is_number, is_prefix

__all__ = ["SPEC", "SmsConfig"]

_SECTION = 'FAIRWAY["PLUGINS"]["sms"]'


class SmsConfig(Config, frozen=True, kw_only=True):
    """The section `sms` of `FAIRWAY["PLUGINS"]`. Times are seconds."""

    provider: str = "console"
    """Who carries texts: `console`, `memory`, `simulator`, `twilio`, `smpp`, or the
    dotted path of a `Provider` class."""
    sender: list[str] = []
    """Numbers and names of ours, or services of the vendor's. An answer leaves from the
    number that was texted; other texts from the one that begins most like theirs."""
    path: str = "/sms/"
    """Where the vendor's requests arrive, below it."""
    public_url: str | None = None
    """The site's address as the vendor knows it, such as `https://example.com`; None
    for that of the request."""
    account_sid: str = ""
    """The account at the vendor (twilio)."""
    auth_token: Secret | None = None
    """The account's secret (twilio)."""
    api_url: str | None = None
    """Base address of the vendor's API (twilio); None for the vendor's own."""
    smpp_url: str = ""
    """Address of the SMSC (smpp): `smpp://host:2775`, or `smpps://` with TLS."""
    system_id: str = ""
    """The account at the SMSC (smpp)."""
    password: Secret | None = None
    """Its password (smpp)."""
    options: dict[str, Any] = {}
    """`system_type` (smpp); for providers of third parties whatever they need."""
    secrets: dict[str, Secret] = {}
    """Keys that sign webhooks in place of the token, by their names (twilio); what else
    must not show in logs."""
    timeout: float = 10.0
    """Time for the vendor to take one text."""
    concurrency: int = 8
    """Texts that are handed over at the same time; one number's go one by one."""
    retry_for: float = 300.0
    """Time in which a text is tried again that the vendor does not take; then it is
    given up."""
    outbox: int = 1_000
    """Texts that may wait in an interface server; beyond that they stay on the bus."""
    outbox_per_number: int = 20
    """The same for one number; what is more is given up."""
    segments_per_minute: int = 60
    """Segments that one number gets in a minute; what is more has to wait."""
    max_segments: int = 10
    """Segments of one text; a longer one is given up."""
    daily_budget: int | None = 1_000
    """Segments that may leave in a day (UTC); what is more is given up. None for any
    number."""
    prefixes: list[str] = []
    """Beginnings of the numbers that may get texts, such as `+46`; empty for all."""
    keywords: dict[str, list[str]] = {}
    """Words by which people opt out and in and ask for help, for `stop`, `start` and
    `help`; what is named replaces the English words."""
    confirmation: str = ""
    """Text that goes once to who opts out; empty where the vendor sends one."""

    def check(self) -> None:
        """Look at values that types alone do not describe.

        Raises:
            ConfigurationError: a number is not above zero, or a name is unknown.
        """
        if not (self.path.startswith("/") and self.path.endswith("/")):
            raise ConfigurationError(f'{_SECTION}["path"]', "must begin and end in '/'")
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, (int, float)) and value <= 0:
                raise ConfigurationError(f'{_SECTION}["{name}"]', "must be above zero")
        for sender in self.sender:
            if not sender or (sender.startswith("+") and not is_number(sender)):
                raise ConfigurationError(
                    f'{_SECTION}["sender"]', f"holds {sender!r}, which is no number"
                )
        for prefix in self.prefixes:
            if not is_prefix(prefix):
                raise ConfigurationError(
                    f'{_SECTION}["prefixes"]', f"holds {prefix!r}, not one like '+46'"
                )
        if unknown := self.keywords.keys() - WORDS.keys():
            raise ConfigurationError(
                f'{_SECTION}["keywords"]',
                f"holds {sorted(unknown)[0]!r}; there are {', '.join(WORDS)}",
            )


SPEC = ProtocolSpec(
    name="sms",
    config=SmsConfig,
    events=(
        Event(
            channel="sms.receive",
            keys={"text": str, "id": str, "to": str, "media": list, "keyword": str},
            capacity=10_000,
            patience=5.0,
            summary="Somebody texted one of our numbers.",
        ),
        Event(
            channel="sms.status",
            keys={"status": str, "id": str, "code": str, "text": str, "reason": str},
            capacity=10_000,
            patience=5.0,
            summary="The vendor reports on a text of ours, or we gave one up.",
        ),
    ),
    replies={
        "text": str,
        "bytes": bytes,
        "media": list,
        "sender": str,
        "accept": bool,
        "close": int,
    },
    peers="shared",
    ordering="none",
    transports={"twisted": "fairway.plugins.sms.transport_twisted:SmsProtocol"},
    summary="Text messages, through a vendor's account.",
)
