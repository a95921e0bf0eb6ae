"""Texts by Twilio's REST API, without waiting in a thread.

Twilio's own library writes the requests; they travel over aiohttp, whose time-outs tell
what was certainly not sent from what may have been. Imported late: it takes long.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from twilio.base.exceptions import TwilioException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from fairway.plugins.sms.provider import Outgoing, Sent, Unsent
from fairway.plugins.sms.spec import SmsConfig

__all__ = ["Rest", "retry_after"]

_LOWEST_ERROR = 300
_SERVER_ERROR = 500
_LATER = (408, 425, 429)
"""Statuses below 500 after which the same request may succeed."""
_MAX_ANSWER = 256 * 1024
_SERVICE = "MG"
"""Beginning of a messaging service's sid."""

log = logging.getLogger(__name__)


class _Refused(Exception):
    """An answer that is not a success, with what Twilio's own exception leaves out."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str]) -> None:
        self.status = status
        self.retry_after = retry_after(headers.get("Retry-After", ""))
        self.code, reason = str(status), ""
        try:
            said = json.loads(text)
            self.code, reason = str(said["code"]), str(said["message"])
        except (ValueError, TypeError, KeyError):
            pass  # a proxy's page
        super().__init__(f"Twilio answered {status} {reason}".strip())


class _Http(AsyncHttpClient):  # type: ignore[misc]  # the library ships no types
    """One pool of connections; the session is made in the loop, on first use."""

    def __init__(self, timeout: float, connections: int) -> None:
        super().__init__(log, True, timeout)
        self._connections = connections
        # Half for the connection, so that what runs into the whole has been written.
        self._times = aiohttp.ClientTimeout(total=timeout, connect=timeout / 2)
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Make a request as the library asks for it.

        Raises:
            _Refused: the answer is not a success.
            aiohttp.ClientError, TimeoutError: there was none.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                timeout=self._times,
            )
        async with self._session.request(
            method,
            url,
            params=params,
            data=data,
            headers=(headers or {}) | _credentials(auth),
            allow_redirects=allow_redirects,
        ) as answer:
            text = (await _limited(answer)).decode("utf-8", "replace")
            if answer.status >= _LOWEST_ERROR:
                raise _Refused(answer.status, text, answer.headers)
            return Response(answer.status, text, answer.headers)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class Rest:
    """The part of the API that sends texts. May be made in any thread."""

    def __init__(self, config: SmsConfig, callback: str | None) -> None:
        token = config.auth_token
        assert token is not None, "checked by the provider"
        self._http = _Http(config.timeout, config.concurrency)
        client = Client(config.account_sid, token.reveal(), http_client=self._http)
        if config.api_url is not None:
            client.api.base_url = config.api_url.rstrip("/")
        self._messages = client.messages
        self._callback = callback

    async def send(self, message: Outgoing) -> Sent:
        """Send a text.

        Raises:
            Unsent: Twilio refused it, or cannot be reached.
            TimeoutError: it did not answer, so the text may be on its way.
        """
        fields: dict[str, Any] = {"to": message.to}
        by = "messaging_service_sid" if _is_service(message.sender) else "from_"
        fields[by] = message.sender
        if message.text:
            fields["body"] = message.text
        if message.media:
            fields["media_url"] = list(message.media)
        if self._callback is not None:
            fields["status_callback"] = self._callback
        try:
            sent = await self._messages.create_async(**fields)
            return Sent(id=sent.sid, segments=max(1, int(sent.num_segments or 1)))
        except _Refused as error:
            final = error.status < _SERVER_ERROR and error.status not in _LATER
            raise Unsent(
                str(error),
                final=final,
                retry_after=None if final else error.retry_after,
                code=error.code,
            ) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unsent(f"cannot reach Twilio: {error}", final=False) from error
        except (
            aiohttp.ClientError,
            OSError,  # with TimeoutError
            ValueError,
            TwilioException,
        ) as error:
            raise TimeoutError(
                f"no answer of Twilio that can be read ({type(error).__name__}): "
                "it may have been sent"
            ) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def retry_after(value: str, now: datetime | None = None) -> float | None:
    """Return the seconds in a field Retry-After (RFC 9110, 10.2.3), None without any.

    Args:
        value: seconds or a date.
        now: the time, where it is not that of the call.
    """
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())


def _credentials(auth: tuple[str, str] | None) -> dict[str, str]:
    if auth is None:
        return {}
    encoded = base64.b64encode(":".join(auth).encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


def _is_service(sender: str) -> bool:
    return sender.startswith(_SERVICE) and len(sender) == 34


async def _limited(answer: aiohttp.ClientResponse) -> bytes:
    text = bytearray()
    async for chunk in answer.content.iter_any():
        text += chunk
        if len(text) > _MAX_ANSWER:
            raise aiohttp.ClientPayloadError("the answer is too long")
    return bytes(text)
