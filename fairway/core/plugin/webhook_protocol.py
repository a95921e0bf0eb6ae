"""Protocols whose events arrive as HTTP requests of a provider."""

from __future__ import annotations

from typing import ClassVar

from fairway.core.drops import Drop
from fairway.core.exceptions import RemoteProtocolError
from fairway.core.plugin.protocol import BaseProtocol, ConfigT
from fairway.core.plugin.web import Exchange

__all__ = ["WebhookProtocol"]

_BAD_REQUEST = 400
_SERVER_ERROR = 500
# A reason may quote the request, which no browser shall take for a page.
_PLAIN_TEXT = ((b"content-type", b"text/plain; charset=utf-8"),)


class WebhookProtocol(BaseProtocol[ConfigT]):
    """A protocol whose events arrive as HTTP requests of a provider.

    Declare a `Mount` whose `open` is `WebhookProtocol.open`, and override `webhook`.
    """

    max_body: ClassVar[int] = 256 * 1024
    """Bytes of a request's body."""

    def open(self, exchange: Exchange) -> None:
        """Take a request; the mount's `open`."""
        self.host.spawn(self._answer(exchange))

    async def webhook(self, exchange: Exchange, body: bytes) -> None:
        """Check the request, emit what it says, and answer with `exchange.respond`.

        Raises:
            RemoteProtocolError: the request is wrong; counted, and answered with its
                status and reason. Any other exception is told and answered with 500.
        """
        raise NotImplementedError

    async def _answer(self, exchange: Exchange) -> None:
        try:
            body = await exchange.body(self.max_body)
        except RemoteProtocolError as error:  # http has answered it, or the client left
            self.host.log.info("%s: %s", exchange.head.client, error)
            return
        try:
            await self.webhook(exchange, body)
        except RemoteProtocolError as error:
            self.host.drop(Drop.INVALID, None, f"{exchange.head.client}: {error}")
            status = error.status or _BAD_REQUEST
            exchange.respond(status, _PLAIN_TEXT, error.reason.encode())
        except Exception as error:
            self.host.failed("webhook", error, exchange.head.client)
            exchange.respond(_SERVER_ERROR)
