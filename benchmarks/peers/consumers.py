"""Consumers of Channels 4, in its fastest way: async, in the server's process."""

from __future__ import annotations

from typing import Any

from channels.exceptions import StopConsumer
from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import AsyncWebsocketConsumer


class Echo(AsyncWebsocketConsumer):
    """Sends back what came, without crossing a channel layer."""

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        """Send it back."""
        await self.send(text_data, bytes_data)


class EchoOverLayer(AsyncWebsocketConsumer):
    """Sends back what came, after one way through the channel layer."""

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        """Send it to this consumer's own channel."""
        event = {"type": "echo.text", "text": text_data}
        await self.channel_layer.send(self.channel_name, event)

    async def echo_text(self, event: dict[str, Any]) -> None:
        """Send back what came through the layer."""
        await self.send(event["text"])


class Member(AsyncWebsocketConsumer):
    """Gets what is sent to the group `all`."""

    groups = ["all"]

    async def group_text(self, event: dict[str, Any]) -> None:
        """Pass it on."""
        await self.send(event["text"])


class Poll(AsyncHttpConsumer):
    """Leaves the request unanswered until something is sent to the group `all`."""

    async def http_request(self, message: dict[str, Any]) -> None:
        """Join the group, and wait."""
        if not message.get("more_body"):
            await self.channel_layer.group_add("all", self.channel_name)

    async def group_text(self, event: dict[str, Any]) -> None:
        """Answer."""
        await self.channel_layer.group_discard("all", self.channel_name)
        body = event["text"].encode()
        length = (b"Content-Length", str(len(body)).encode())
        await self.send_response(200, body, headers=[length])
        raise StopConsumer
