"""Texts through Twilio: requests in, the REST API out.

https://www.twilio.com/docs/messaging/guides/webhook-request says what comes in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fairway.kit import ConfigurationError, Exchange, Host, RemoteProtocolError
from fairway.plugins.sms.provider import (
    Incoming,
    Outgoing,
    Provider,
    Sent,
    Status,
    TakeIncoming,
    TakeStatus,
    Unsent,
)
from fairway.plugins.sms.spec import SmsConfig
from fairway.plugins.sms.twilio_signature import BadSignature, Signatures

if TYPE_CHECKING:
    from fairway.plugins.sms.twilio_rest import Rest

__all__ = ["TwilioProvider", "incoming_of", "status_of"]

_SECTION = 'FAIRWAY["PLUGINS"]["sms"]'
_OK, _BAD_REQUEST, _NOT_FOUND, _BUSY = 200, 400, 404, 503
_NOTHING = b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
_XML = ((b"content-type", b"text/xml; charset=utf-8"),)
_LATER = ((b"retry-after", b"1"),)
_MAX_MEDIA = 10
"""What one message may carry at Twilio."""
_KEYWORDS = {"STOP": "stop", "START": "start", "HELP": "help"}
_STATUSES = {
    "accepted": "queued",
    "scheduled": "queued",
    "queued": "queued",
    "sending": "queued",
    "sent": "sent",
    "delivered": "delivered",
    "undelivered": "undelivered",
    "failed": "failed",
    "canceled": "failed",
    "read": "read",
}


class TwilioProvider(Provider):
    """One account at Twilio."""

    name = "twilio"
    longest = 1_600

    def __init__(
        self, config: SmsConfig, host: Host, incoming: TakeIncoming, status: TakeStatus
    ) -> None:
        super().__init__(config, host, incoming, status)
        token = config.auth_token
        if token is None or not token.reveal():
            # An empty one would let anybody sign.
            raise ConfigurationError(f'{_SECTION}["auth_token"]', "is required")
        if empty := [name for name, key in config.secrets.items() if not key.reveal()]:
            where = f'{_SECTION}["secrets"]'
            raise ConfigurationError(where, f"has nothing for {empty[0]!r}")
        if not config.account_sid:
            raise ConfigurationError(f'{_SECTION}["account_sid"]', "is required")
        for name in ("public_url", "api_url"):
            _check_url(name, getattr(config, name))
        self._signatures = Signatures(
            token,
            keys=config.secrets,
            public_url=config.public_url,
            allowed_hosts=host.site.allowed_hosts,
        )
        self._callback = None
        if config.public_url is not None:
            self._callback = f"{config.public_url.rstrip('/')}{config.path}status/"
        self._rest: Rest | None = None

    async def start(self) -> None:
        """Get ready to send; Twilio's library takes a while to be imported."""
        self._rest = await self.host.blocking(_make_rest, self.config, self._callback)
        if self._callback is None:
            self.host.log.info("without public_url, Twilio is not asked for reports")

    async def send(self, message: Outgoing) -> Sent:
        """Hand a message to Twilio; raises as `Provider.send` says."""
        if self._rest is None:
            raise Unsent("Twilio's library is not loaded yet", final=False)
        return await self._rest.send(message)

    async def stop(self) -> None:
        """Close the connections."""
        if self._rest is not None:
            await self._rest.close()

    async def webhook(self, exchange: Exchange, body: bytes) -> None:
        """Take a text at `path` or `path` + `incoming/`, a report at `status/`.

        Answered with an empty document when the bus has it, else with 503.

        Raises:
            RemoteProtocolError: 403 for a signature that does not fit, 404 for another
                place, 400 for fields that are missing.
        """
        place = exchange.head.path.removeprefix(self.config.path).strip("/")
        if place not in ("", "incoming", "status"):
            raise RemoteProtocolError("nothing is here", status=_NOT_FOUND)
        try:
            fields = self._signatures.fields(exchange.head, body)
        except BadSignature as error:
            self.host.drop("signature", detail=error.inputs)
            raise
        if place == "status":
            taken = await self._take_status(fields)
        else:
            taken = await self.incoming(incoming_of(fields))
        if taken:
            exchange.respond(_OK, _XML, _NOTHING)
        else:
            exchange.respond(_BUSY, _LATER)

    async def _take_status(self, fields: Mapping[str, str]) -> bool:
        status = status_of(fields)
        return status is None or await self.status(status)


def incoming_of(fields: Mapping[str, str]) -> Incoming:
    """Return what a request about an incoming message says.

    Raises:
        RemoteProtocolError: a field is missing, or there are too many media.
    """
    count = fields.get("NumMedia", "0")
    if not (count.isascii() and count.isdecimal()) or len(count) > 2:
        raise RemoteProtocolError("NumMedia is no count", status=_BAD_REQUEST)
    if int(count) > _MAX_MEDIA:
        raise RemoteProtocolError("too many media", status=_BAD_REQUEST)
    return Incoming(
        id=_sid(fields),
        sender=_field(fields, "From"),
        to=_field(fields, "To"),
        text=fields.get("Body", ""),
        media=tuple(
            (
                _field(fields, f"MediaUrl{number}"),
                fields.get(f"MediaContentType{number}", ""),
            )
            for number in range(int(count))
        ),
        keyword=_KEYWORDS.get(fields.get("OptOutType", "").upper(), ""),
    )


def status_of(fields: Mapping[str, str]) -> Status | None:
    """Return what a status callback says, None for states that say nothing to us.

    Raises:
        RemoteProtocolError: a field is missing.
    """
    said = fields.get("MessageStatus") or _field(fields, "SmsStatus")
    status = _STATUSES.get(said.lower())
    if status is None:
        return None
    return Status(
        id=_sid(fields),
        to=_field(fields, "To"),
        status=status,
        code=fields.get("ErrorCode", ""),
    )


def _sid(fields: Mapping[str, str]) -> str:
    return fields.get("MessageSid") or _field(fields, "SmsSid")


def _field(fields: Mapping[str, str], name: str) -> str:
    if value := fields.get(name):
        return value
    raise RemoteProtocolError(f"the field {name} is missing", status=_BAD_REQUEST)


def _check_url(name: str, url: str | None) -> None:
    if url is None:
        return
    try:
        split = urlsplit(url)
        good = split.scheme in ("http", "https") and split.hostname is not None
        _ = split.port
    except ValueError:
        good = False
    if not good or "?" in url or "#" in url:
        raise ConfigurationError(
            f'{_SECTION}["{name}"]', "must be like 'https://example.com'"
        )


def _make_rest(config: SmsConfig, callback: str | None) -> Rest:
    from fairway.plugins.sms.twilio_rest import Rest

    return Rest(config, callback)
