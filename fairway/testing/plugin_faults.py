"""The conformance suite of plugins, part 4: what goes wrong, and the end."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from fairway.core.drops import Drop
from fairway.core.plugin.datagram_protocol import DatagramProtocol
from fairway.core.plugin.host import Refusal
from fairway.core.plugin.protocol import BaseProtocol
from fairway.core.plugin.stream_protocol import StreamProtocol
from fairway.core.plugin.webhook_protocol import WebhookProtocol
from fairway.core.settings import Limits
from fairway.testing.plugin_case import PluginCase
from fairway.testing.recording import RecordingHost

__all__ = ["FaultConformance"]

_BAD_REQUEST = 400
_SERVER_ERROR = 500
_LONG = 120.0
_SHOWN = 80


class _Bug(Exception):
    """Raised on purpose."""


class FaultConformance(PluginCase):
    """What happens when something goes wrong, and when the server stops."""

    # Refusals.

    @pytest.mark.parametrize("why", Refusal)
    def test_a_refused_event_is_answered_on_the_wire(self, why: Refusal) -> None:
        if not self.wire and not self.requests:
            pytest.skip("nobody waits for an answer")

        async def refused(host: RecordingHost) -> None:
            host.refusing = why
            if self.wire:
                host.connect().feed(self.wire)
            else:
                await self.converse(host)
            for stream in host.streams:
                assert stream.written or stream.closed
            for exchange in host.exchanges:
                answered = bool(exchange.status) or exchange.aborted
                assert answered, "a provider waits for an answer"
                if why is not Refusal.FILTERED:  # that one is meant to be lost
                    assert exchange.status >= _BAD_REQUEST or exchange.aborted

        self.run(refused)

    @pytest.mark.parametrize("why", Refusal)
    def test_after_refusals_it_goes_on(self, why: Refusal) -> None:
        async def refuse(host: RecordingHost) -> None:
            host.refusing = why
            await self.converse(host)
            host.refusing = None
            await self.converse(host)

        assert self.run(refuse).events

    def test_a_peer_above_the_limit_is_turned_away(self) -> None:
        async def crowd(host: RecordingHost) -> None:
            await self.arrive(host)
            await self.arrive(host)
            if self.load().spec.peers == "owned":
                assert sum(peer.open for peer in host.peers.values()) <= 1

        self.run(crowd, limits=Limits(peers=1))

    def test_a_peer_that_lost_a_reply_is_disconnected(self) -> None:
        if self.load().spec.peers != "owned":
            pytest.skip("only for peers of one server")

        async def lose(host: RecordingHost) -> None:
            await self.arrive(host)
            for peer in list(host.peers.values()):
                if peer.open:
                    host.protocol.disconnect(peer, "overflow")
            host.clock.advance(_LONG)  # some wait for the other end, not for ever
            assert not any(peer.open for peer in host.peers.values())

        self.run(lose)

    def test_who_waits_for_an_answer_that_never_comes_can_be_told(self) -> None:
        async def give_up(host: RecordingHost) -> None:
            await self.arrive(host)
            for peer in list(host.peers.values()):
                host.protocol.unanswered(peer, Drop.FAILOVER)

        self.run(give_up)

    def test_a_held_peer_is_not_read(self) -> None:
        if not issubclass(self.protocol_class(), StreamProtocol):
            pytest.skip("only for protocols that run a StreamMapping")

        async def hold(host: RecordingHost) -> None:
            await self.arrive(host)
            (peer,) = host.peers.values()
            host.protocol.hold(peer, False)
            assert not host.streams[0].reading
            host.protocol.hold(peer, True)
            assert host.streams[0].reading

        self.run(hold)

    # Broken input.

    def test_broken_input_is_answered_or_hung_up_on_and_counted(self) -> None:
        if not self.bad_wire:
            pytest.skip("give `bad_wire`: what breaks the protocol")

        for data in self.bad_wire:

            async def send(host: RecordingHost, data: bytes = data) -> None:
                stream = host.connect()
                stream.feed(data)
                assert stream.written or stream.closed, data[:_SHOWN]

            host = self.run(send)
            assert host.drops, f"{data[:_SHOWN]!r} is not counted"

    def test_broken_datagrams_are_dropped_and_counted(self) -> None:
        if not self.bad_datagrams:
            pytest.skip("give `bad_datagrams`: what breaks the protocol")

        for data in self.bad_datagrams:

            async def send(host: RecordingHost, data: bytes = data) -> None:
                host.ports[0].feed(data)

            host = self.run(send)
            assert not host.events
            assert host.drops, f"{data[:_SHOWN]!r} is not counted"

    def test_broken_requests_are_answered_and_counted(self) -> None:
        if not self.bad_requests:
            pytest.skip("give `bad_requests`: what breaks the protocol")

        for request in self.bad_requests:

            async def send(host: RecordingHost, request: Any = request) -> None:
                host.request(request)

            host = self.run(send)
            (exchange,) = host.exchanges
            assert _BAD_REQUEST <= exchange.status < _SERVER_ERROR
            assert not host.events
            assert host.drops, f"{request.body[:_SHOWN]!r} is not counted"

    # Bugs.

    def test_a_bug_costs_the_peer_that_meets_it_and_nobody_else(self) -> None:
        faulty = _with_a_bug(self.protocol_class())

        async def meet(host: RecordingHost) -> None:
            # The host is the boundary: it logs what leaves a handler, and cuts.
            with suppress(_Bug):
                await self.converse(host)
            await host.settle()
            for stream in host.streams:
                stream.abort()
            assert not host.events or not self.requests
            for exchange in host.exchanges:
                assert exchange.status == _SERVER_ERROR
                assert isinstance(host.failures[0].error, _Bug), "it is not told"
            if host.streams:
                assert not any(peer.open for peer in host.peers.values())

        self.run(meet, protocol_class=faulty)

    # The end.

    def test_it_stops_within_its_grace(self) -> None:
        shared = self.load().spec.peers == "shared"

        host = self.run(self.arrive)

        assert not any(listener.listening for listener in host.listeners)
        assert all(port.closed for port in host.ports)
        assert all(stream.closed for stream in host.streams)
        assert shared or not any(peer.open for peer in host.peers.values())

    def test_it_stops_when_nobody_came(self) -> None:
        host = self.run()

        assert not any(listener.listening for listener in host.listeners)


def _with_a_bug(protocol_class: type[BaseProtocol[Any]]) -> type[BaseProtocol[Any]]:
    """Return the protocol with something raising in the place of its own code."""

    def fail(*arguments: object) -> Any:
        raise _Bug

    async def fail_later(*arguments: object) -> None:
        raise _Bug

    if issubclass(protocol_class, StreamProtocol | DatagramProtocol):
        mapping = type("Faulty", (protocol_class.mapping,), {"received": fail})
        return type("FaultyProtocol", (protocol_class,), {"mapping": mapping})
    if issubclass(protocol_class, WebhookProtocol):
        return type("FaultyProtocol", (protocol_class,), {"webhook": fail_later})
    return pytest.skip("only for protocols on the kit's own bases")
