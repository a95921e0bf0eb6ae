"""Requests as Twilio makes them, signed by Twilio's own `RequestValidator`."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from twilio.request_validator import RequestValidator

from fairway.kit import Exchange, RemoteProtocolError, RequestHead, Secret, Site
from fairway.plugins.sms.provider import Incoming, Status
from fairway.plugins.sms.spec import SmsConfig
from fairway.plugins.sms.twilio import TwilioProvider
from fairway.testing.recording import RecordingHost
from tests.plugins.sms.twilio.api import ACCOUNT, TOKEN

__all__ = ["FIELDS", "Answers", "Site", "Vendor", "request", "signed"]

FIELDS = {
    "MessageSid": "SM" + "a" * 32,
    "SmsSid": "SM" + "a" * 32,
    "AccountSid": ACCOUNT,
    "From": "+46701234567",
    "To": "+15005550006",
    "Body": "Hej på dig & 100 %",
    "NumMedia": "0",
    "NumSegments": "1",
}


class Answers:
    """An exchange that keeps its answer."""

    def __init__(self, head: RequestHead) -> None:
        self.head = head
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""

    def respond(
        self,
        status: int,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
    ) -> None:
        assert self.status == 0, "answered twice"
        self.status, self.headers, self.body = status, dict(headers), body


class Vendor:
    """A provider with a plugin around it that takes what comes in.

    Attributes:
        taking: False to say that the bus does not take it.
    """

    def __init__(self, *, hosts: tuple[str, ...] = (), **settings: Any) -> None:
        given: dict[str, Any] = {"account_sid": ACCOUNT, "auth_token": Secret(TOKEN)}
        self.host = RecordingHost(site=Site(allowed_hosts=hosts))
        self.texts: list[Incoming] = []
        self.reports: list[Status] = []
        self.taking = True
        self.provider = TwilioProvider(
            SmsConfig(**given | settings), self.host, self._text, self._report
        )

    async def _text(self, text: Incoming) -> bool:
        self.texts.append(text)
        return self.taking

    async def _report(self, report: Status) -> bool:
        self.reports.append(report)
        return self.taking

    def call(self, head: RequestHead, body: bytes) -> Answers:
        """Hand a request in as the plugin does and return the answer."""
        exchange = Answers(head)
        try:
            asyncio.run(self.provider.webhook(cast(Exchange, exchange), body))
        except RemoteProtocolError as error:
            exchange.respond(error.status, (), str(error).encode())
        return exchange

    @property
    def happened(self) -> int:
        return len(self.texts) + len(self.reports)


def request(
    url: str,
    headers: Mapping[str, str],
    *,
    scheme: str | None = None,
    server: tuple[str, int | None] = ("127.0.0.1", 8000),
) -> RequestHead:
    """Return the head that a server sees of a POST to a URL."""
    split = urlsplit(url)
    fields = {"Host": split.netloc} | dict(headers)
    return RequestHead(
        method="POST",
        path=split.path,
        raw_path=split.path.encode(),
        query_string=split.query.encode(),
        headers=[(k.lower().encode(), v.encode()) for k, v in fields.items()],
        http_version="1.1",
        scheme=scheme or split.scheme,
        client="192.0.2.1:5123",
        server=server,
    )


def signed(
    url: str, fields: Mapping[str, str], *, token: str = TOKEN, json_body: bool = False
) -> tuple[str, dict[str, str], bytes]:
    """Return URL, headers and body of a request as Twilio makes it."""
    validator = RequestValidator(token)
    if json_body:
        body = json.dumps(fields).encode()
        url += "&" if "?" in url else "?"
        url += f"bodySHA256={hashlib.sha256(body).hexdigest()}"
        signature = validator.compute_signature(url, {})
        kind = "application/json"
    else:
        body = urlencode(fields).encode()
        signature = validator.compute_signature(url, fields)
        kind = "application/x-www-form-urlencoded; charset=UTF-8"
    return url, {"X-Twilio-Signature": signature, "Content-Type": kind}, body
