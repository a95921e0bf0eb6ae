"""What all parts of the conformance suite of plugins stand on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import pytest

from fairway.core.content import Content
from fairway.core.drops import Drop
from fairway.core.plugin.loading import LoadedProtocol, Plugins, import_path
from fairway.core.plugin.protocol import BaseProtocol
from fairway.core.plugin.spec import ProtocolSpec
from fairway.core.settings import Limits, read_settings
from fairway.testing.recording import RecordingHost
from fairway.testing.recording_web import Request

__all__ = ["Play", "PluginCase", "complaints", "told"]

Play: TypeAlias = Callable[[RecordingHost], Awaitable[None]]

STOP_GRACE = 0.2
_STOP_TICKS = 10
_PATIENCE = 20.0
_SAMPLES: Mapping[type, Any] = {
    str: "sample",
    bytes: b"sample",
    bool: True,
    int: 200,
    float: 1.0,
    list: [],
    dict: {},
}


class PluginCase:
    """Loads a plugin and runs one of its protocols on a recording host."""

    plugin: ClassVar[str]
    """The plugin's name, or its dotted path."""
    section: ClassVar[dict[str, Any]] = {}
    """Its section of the settings."""
    protocol: ClassVar[str] = ""
    """Which of its protocols; may be empty when it has one."""
    transport: ClassVar[str] = "twisted"
    """The kind of transport under test."""
    wire: ClassVar[bytes] = b""
    """What a client of a protocol of ordered bytes may send in one connection."""
    bad_wire: ClassVar[Sequence[bytes]] = ()
    """What breaks such a protocol: one connection each."""
    datagrams: ClassVar[Sequence[bytes]] = ()
    """What a client of a protocol of datagrams may send."""
    bad_datagrams: ClassVar[Sequence[bytes]] = ()
    """What breaks such a protocol."""
    requests: ClassVar[Sequence[Request]] = ()
    """What a client of a protocol on mounts, such as a webhook, may send."""
    bad_requests: ClassVar[Sequence[Request]] = ()
    """What such a protocol answers with a status of 400 or above."""

    def replies(self, spec: ProtocolSpec) -> Sequence[Content]:
        """Return contents that its reply channels understand: one for each key."""
        return [{key: _SAMPLES[form]} for key, form in spec.replies.items()]

    def long_reply(self, spec: ProtocolSpec, size: int) -> Content | None:
        """Return a reply with so many bytes for the wire, None when there is none."""
        if "text" in spec.replies:
            return {"text": "x" * size}
        return {"bytes": b"x" * size} if "bytes" in spec.replies else None

    def steady(self, written: bytes) -> bytes:
        """Return what was written to a client without what differs each time."""
        return written

    async def converse(self, host: RecordingHost) -> None:
        """Play a client of the protocol, from its first event to its last one."""
        for port in host.ports:
            for datagram in self.datagrams:
                port.feed(datagram)
        if self.wire and host.listeners:
            stream = host.connect()
            stream.feed(self.wire)
            stream.hang_up()
        for request in self.requests:
            host.request(request)
            await host.settle()

    async def arrive(self, host: RecordingHost) -> None:
        """Let a client come, and stay."""
        if self.wire and host.listeners:
            host.connect().feed(self.wire)
        elif self.datagrams or self.requests:
            await self.converse(host)
        else:
            pytest.skip("override `arrive`: how a client comes is not known")

    # What the tests use.

    def load(self) -> LoadedProtocol:
        """Return the protocol under test with its section."""
        protocols = self._plugins.protocols
        return protocols[self.protocol or next(iter(protocols))]

    def protocol_class(self) -> type[BaseProtocol[Any]]:
        """Return what runs it."""
        found: type[BaseProtocol[Any]]
        found = import_path(self.load().spec.transports[self.transport])
        return found

    def run(
        self,
        *plays: Play,
        limits: Limits | None = None,
        protocol_class: type[BaseProtocol[Any]] | None = None,
    ) -> RecordingHost:
        """Start the protocol on a recording host, play, stop it; return the host."""
        loaded = self.load()
        mounts = [
            declared.mount
            for declared in self._plugins.mounts()
            if declared.plugin == loaded.plugin
        ]
        host = RecordingHost(limits=limits)
        protocol = host.serve(
            protocol_class or self.protocol_class(), loaded.config, loaded.spec, mounts
        )

        async def run() -> None:
            await protocol.start()
            for play in plays:
                await play(host)
                await host.settle()
            await _stop(host, protocol)

        asyncio.run(run())
        return host

    def talk(self, pieces: Sequence[bytes]) -> tuple[object, bytes]:
        """Send pieces in one connection; return the events and what was written."""

        async def talk(host: RecordingHost) -> None:
            stream = host.connect()
            for piece in pieces:
                stream.feed(piece)
            stream.hang_up()

        host = self.run(talk)
        return told(host), self.steady(host.streams[0].written)

    def reply(self, content: Content) -> Play:
        """Return a play in which a client is there and content is sent to it."""

        async def reply(host: RecordingHost) -> None:
            await self.arrive(host)
            host.deliver(content)

        return reply

    def needs_wire(self) -> None:
        """Skip the test unless clients connect and send ordered bytes."""
        if not self.wire:
            pytest.skip("only for protocols with `wire`")

    @cached_property
    def _plugins(self) -> Plugins:
        return Plugins(read_settings({"PLUGINS": {self.plugin: self.section}}))


async def _stop(host: RecordingHost, protocol: BaseProtocol[Any]) -> None:
    """Stop the protocol, with time going on as it would."""
    stopping = asyncio.ensure_future(protocol.stop(STOP_GRACE))
    for _ in range(_STOP_TICKS + 1):  # one more, for what rounding left
        await asyncio.sleep(0)
        host.clock.advance(STOP_GRACE / _STOP_TICKS)
    await asyncio.wait_for(stopping, _PATIENCE)
    await host.cancel_work()


def told(host: RecordingHost) -> list[tuple[str, Content]]:
    """Return channel and content of all events."""
    return [(event.channel, event.content) for event in host.events]


def complaints(host: RecordingHost) -> list[str]:
    """Return what a consumer's author would read in the log."""
    wrong = {Drop.UNSUPPORTED, Drop.FAILED}
    return [drop.detail for drop in host.drops if drop.reason in wrong]
