"""The conformance suite of plugins, part 2: from the wire to channels."""

from __future__ import annotations

import itertools
import random

import pytest

from fairway.core.content import Content, encode_content
from fairway.core.plugin.spec import Event
from fairway.testing.plugin_case import PluginCase, told
from fairway.testing.recording import RecordingHost

__all__ = ["EventConformance"]

_JUNK_SEED = 7
_CUTS = 200
"""Places at which `wire` is cut in two; all of them unless it is longer."""
_FUZZ_EXAMPLES = 50


class EventConformance(PluginCase):
    """What leads to events, and to which."""

    def test_only_declared_events_with_declared_keys_are_emitted(self) -> None:
        declared = {event.channel: event for event in self.load().spec.events}

        host = self.run(self.converse)

        assert host.events, "converse() must lead to events"
        for emitted in host.events:
            assert emitted.channel in declared
            _check_keys(declared[emitted.channel], emitted.content)
            encode_content(emitted.content)

    def test_events_without_a_peer_come_only_from_protocols_without_peers(self) -> None:
        spec = self.load().spec

        host = self.run(self.converse)

        without = [event.channel for event in host.events if event.peer is None]
        assert spec.peers == "none" or not without

    def test_peers_that_any_server_carries_are_known_by_a_key(self) -> None:
        spec = self.load().spec
        if spec.peers != "shared":
            pytest.skip("only for protocols with shared peers")

        first, second = self.run(self.converse), self.run(self.converse)

        # Neither a handle nor a number that only this process knows.
        assert first.peers.keys() == second.peers.keys()
        assert all(peer.keyed for peer in first.peers.values())

    def test_the_same_input_leads_to_the_same_events(self) -> None:
        first, second = self.run(self.converse), self.run(self.converse)

        assert told(first) == told(second)

    def test_bytes_cut_anywhere_lead_to_the_same_events(self) -> None:
        self.needs_wire()
        whole = self.talk([self.wire])
        places = range(1, len(self.wire))

        for cut in random.Random(_JUNK_SEED).sample(places, min(_CUTS, len(places))):
            assert self.talk([self.wire[:cut], self.wire[cut:]]) == whole

    def test_bytes_that_come_one_by_one_lead_to_the_same_events(self) -> None:
        self.needs_wire()

        pieces = [self.wire[at : at + 1] for at in range(len(self.wire))]

        assert self.talk(pieces) == self.talk([self.wire])

    def test_any_bytes_lead_to_the_same_events_however_they_are_cut(self) -> None:
        self.needs_wire()
        pytest.importorskip("hypothesis")
        from hypothesis import given, settings, strategies

        def damaged(at: int, junk: bytes) -> bytes:
            return self.wire[:at] + junk + self.wire[at:]

        inputs = strategies.builds(
            damaged, strategies.integers(0, len(self.wire)), strategies.binary()
        )

        @settings(max_examples=_FUZZ_EXAMPLES, deadline=None)
        @given(inputs, strategies.lists(strategies.integers(0, 1_000)))
        def fuzz(data: bytes, cuts: list[int]) -> None:
            ends = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
            pieces = [data[a:b] for a, b in itertools.pairwise(ends)]
            assert self.talk(pieces) == self.talk([data])

        fuzz()

    def test_junk_hurts_nobody(self) -> None:
        junk = random.Random(_JUNK_SEED)
        pieces = [junk.randbytes(size) for size in (0, 1, 10, 1_000, 60_000)]

        async def send(host: RecordingHost) -> None:
            for piece in pieces:
                if self.wire:
                    host.connect().feed(piece)
                if self.datagrams:
                    for port in host.ports:
                        port.feed(piece)
            await self.converse(host)

        host = self.run(send)

        assert set(_channels(self.run(self.converse))) <= set(_channels(host))


def _channels(host: RecordingHost) -> list[str]:
    return [event.channel for event in host.events]


def _check_keys(event: Event, content: Content) -> None:
    for key, value in content.items():
        assert key in event.keys, f"{event.channel} does not declare {key!r}"
        form = event.keys[key]
        assert isinstance(value, form), f"{event.channel}[{key!r}] is {value!r}"
