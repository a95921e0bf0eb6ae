"""Consumers of Channels 4, in its fastest way: async, in the server's process."""

from __future__ import annotations

from typing import Any

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
