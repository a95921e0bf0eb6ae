"""The conformance suite of protocol plugins: what a host and its workers rely on.

    from fairway.testing.plugin import PluginConformance

    class TestLines(PluginConformance):
        plugin = "lines"                    # as in FAIRWAY["PLUGINS"]
        wire = b"hello\\nworld\\n"            # what a client may send

A plugin on streams gives `wire`, one on datagrams `datagrams`; any other overrides
`converse`, in which its protocol has to emit events, and `arrive`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from fairway.core.content import Content, encode_content
from fairway.core.drops import Drop
from fairway.core.exceptions import ConfigurationError
from fairway.core.names import check_channel
from fairway.core.plugin.host import Refusal
from fairway.core.plugin.loading import LoadedProtocol, Plugins, import_path
from fairway.core.plugin.protocol import BaseProtocol
from fairway.core.plugin.spec import API_VERSION, Event, ProtocolSpec
from fairway.core.plugin.stream_protocol import StreamProtocol
from fairway.core.settings import read_section, read_settings
from fairway.testing.recording import RecordingHost
from fairway.testing.recording_wire import RecordingStream

__all__ = ["PluginConformance"]

_SAMPLES: Mapping[type, Any] = {
    str: "sample",
    bytes: b"sample",
    bool: True,
    int: 200,
    float: 1.0,
    list: [],
    dict: {},
}
_STOP_GRACE = 1.0
_STOP_TICKS = 10
_PATIENCE = 20.0
_JUNK_SEED = 7


class PluginConformance:
    """Subclass it, with a name that begins with `Test`."""

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
    datagrams: ClassVar[Sequence[bytes]] = ()
    """What a client of a protocol of datagrams may send."""

    def replies(self, spec: ProtocolSpec) -> Sequence[Content]:
        """Return contents that its reply channels understand: one for each key."""
        return [{key: _SAMPLES[form]} for key, form in spec.replies.items()]

    async def converse(self, host: RecordingHost) -> None:
        """Play a client of the protocol, from its first event to its last one."""
        for port in host.ports:
            for datagram in self.datagrams:
                port.feed(datagram)
        if host.listeners:
            stream = host.connect()
            stream.feed(self.wire)
            stream.hang_up()

    async def arrive(self, host: RecordingHost) -> None:
        """Let a client come, and stay."""
        if host.listeners:
            host.connect().feed(self.wire)
        elif host.ports:
            await self.converse(host)
        else:
            pytest.skip("override `arrive`: this plugin listens nowhere itself")

    # The declaration.

    def test_it_loads_from_settings(self) -> None:
        loaded = self._load()

        assert loaded.spec.api == API_VERSION
        assert self.transport in loaded.spec.transports

    def test_the_spec_is_frozen_data(self) -> None:
        spec = self._load().spec

        with pytest.raises(AttributeError):
            spec.name = "other"  # type: ignore[misc]

    def test_its_events_are_channels_of_its_own(self) -> None:
        spec = self._load().spec
        channels = [check_channel(event.channel) for event in spec.events]

        assert channels, "a protocol without events maps nothing"
        assert len(set(channels)) == len(channels)
        assert all(channel.startswith(f"{spec.name}.") for channel in channels)

    def test_its_failure_and_unrouted_replies_use_declared_keys(self) -> None:
        spec = self._load().spec

        for content in (spec.failure, spec.unrouted):
            assert set(content or ()) <= set(spec.replies)

    def test_the_config_names_an_unknown_key(self) -> None:
        form = self._load().spec.config

        with pytest.raises(ConfigurationError, match="no_such_key"):
            read_section({**self.section, "no_such_key": 1}, form, "section")

    # Events.

    def test_only_declared_events_with_declared_keys_are_emitted(self) -> None:
        spec = self._load().spec
        declared = {event.channel: event for event in spec.events}

        host = self._run(self.converse)

        assert host.events, "converse() must lead to events"
        for emitted in host.events:
            assert emitted.channel in declared
            _check_keys(declared[emitted.channel], emitted.content)
            encode_content(emitted.content)

    def test_events_without_a_peer_come_only_from_protocols_without_peers(self) -> None:
        spec = self._load().spec

        host = self._run(self.converse)

        without = [event.channel for event in host.events if event.peer is None]
        assert spec.peers == "none" or not without

    def test_the_same_input_leads_to_the_same_events(self) -> None:
        first, second = self._run(self.converse), self._run(self.converse)

        assert _told(first) == _told(second)

    def test_bytes_cut_anywhere_lead_to_the_same_events(self) -> None:
        self._needs_streams()
        whole = self._talk([self.wire])

        for cut in range(1, len(self.wire)):
            assert self._talk([self.wire[:cut], self.wire[cut:]]) == whole

    def test_junk_hurts_nobody(self) -> None:
        self._needs_streams()
        junk = random.Random(_JUNK_SEED)

        for size in (1, 10, 1_000, 100_000):
            self._talk([junk.randbytes(size)])

    # Replies.

    def test_declared_replies_are_accepted(self) -> None:
        spec = self._load().spec

        for content in self.replies(spec):
            host = self._run(self._reply(content))
            assert not _complaints(host), f"{content} is declared but not accepted"

    def test_an_unknown_reply_key_is_reported(self) -> None:
        host = self._run(self._reply({"no_such_key": True}))

        reasons = {drop.reason for drop in host.drops}
        assert Drop.UNSUPPORTED in reasons
        assert Drop.FAILED not in reasons

    # Refusals and the end.

    def test_a_refused_event_is_answered_on_the_wire(self) -> None:
        self._needs_streams()

        async def refused(host: RecordingHost) -> None:
            host.refusing = Refusal.FULL
            stream = host.connect()
            stream.feed(self.wire)
            assert stream.written or stream.closed

        self._run(refused)

    def test_it_stops_within_its_grace(self) -> None:
        host = self._run(self.arrive)

        assert not any(listener.listening for listener in host.listeners)
        assert all(port.closed for port in host.ports)
        assert not any(peer.open for peer in host.peers.values())

    def _load(self) -> LoadedProtocol:
        settings = read_settings({"PLUGINS": {self.plugin: self.section}})
        protocols = Plugins(settings).protocols
        name = self.protocol or next(iter(protocols))
        return protocols[name]

    def _run(self, play: Callable[[RecordingHost], Awaitable[None]]) -> RecordingHost:
        """Start the protocol on a recording host, play, stop it; return the host."""
        loaded = self._load()
        host = RecordingHost()

        async def run() -> None:
            protocol: BaseProtocol[Any] = host.serve(
                self._class(loaded), loaded.config, loaded.spec
            )
            await protocol.start()
            await play(host)
            stopping = asyncio.ensure_future(protocol.stop(_STOP_GRACE))
            for _ in range(_STOP_TICKS):
                await asyncio.sleep(0)
                host.clock.advance(_STOP_GRACE / _STOP_TICKS)
            await asyncio.wait_for(stopping, _PATIENCE)

        asyncio.run(run())
        return host

    def _talk(self, pieces: Sequence[bytes]) -> tuple[object, bytes]:
        """Send pieces in one connection; return the events and what was written."""
        streams: list[RecordingStream] = []

        async def talk(host: RecordingHost) -> None:
            streams.append(host.connect())
            for piece in pieces:
                streams[0].feed(piece)
            streams[0].hang_up()

        host = self._run(talk)
        return _told(host), streams[0].written

    def _reply(self, content: Content) -> Callable[[RecordingHost], Awaitable[None]]:
        """Return a play in which a client is there and content is sent to it."""

        async def reply(host: RecordingHost) -> None:
            await self.arrive(host)
            host.deliver(content)

        return reply

    def _class(self, loaded: LoadedProtocol) -> type[BaseProtocol[Any]]:
        found: type[BaseProtocol[Any]]
        found = import_path(loaded.spec.transports[self.transport])
        return found

    def _needs_streams(self) -> None:
        if not self.wire or not issubclass(self._class(self._load()), StreamProtocol):
            pytest.skip("only for protocols that run a StreamMapping")


def _told(host: RecordingHost) -> list[tuple[str, Content]]:
    return [(event.channel, event.content) for event in host.events]


def _complaints(host: RecordingHost) -> list[str]:
    wrong = {Drop.UNSUPPORTED, Drop.FAILED}
    return [drop.detail for drop in host.drops if drop.reason in wrong]


def _check_keys(event: Event, content: Content) -> None:
    for key, value in content.items():
        assert key in event.keys, f"{event.channel} does not declare {key!r}"
        form = event.keys[key]
        assert isinstance(value, form), f"{event.channel}[{key!r}] is {value!r}"
