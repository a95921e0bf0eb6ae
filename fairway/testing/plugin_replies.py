"""The conformance suite of plugins, part 3: from channels to the wire."""

from __future__ import annotations

import re

import pytest

from fairway.core.drops import Drop
from fairway.core.settings import Limits
from fairway.testing.plugin_case import PluginCase, complaints
from fairway.testing.recording import RecordingHost

__all__ = ["ReplyConformance"]

_PART = 1_024
_UNSENT = 4 * _PART
_PARTS = 20


class ReplyConformance(PluginCase):
    """What its reply channels understand, and who takes too little."""

    def test_declared_replies_are_accepted(self) -> None:
        spec = self.load().spec

        for content in self.replies(spec):
            host = self.run(self.reply(content))
            assert not complaints(host), f"{content} is declared but not accepted"

    def test_what_the_worker_sends_by_itself_is_accepted(self) -> None:
        spec = self.load().spec

        for content in (spec.failure, spec.unrouted):
            if content is not None:
                assert not complaints(self.run(self.reply(content)))

    def test_an_unknown_reply_key_is_reported(self) -> None:
        host = self.run(self.reply({"no_such_key": True}))

        reasons = {drop.reason for drop in host.drops}
        assert Drop.UNSUPPORTED in reasons
        assert Drop.FAILED not in reasons

    def test_a_reply_to_who_has_left_is_harmless(self) -> None:
        spec = self.load().spec

        async def late(host: RecordingHost) -> None:
            await self.arrive(host)
            for stream in host.streams:
                stream.hang_up()
            for content in self.replies(spec):
                host.deliver(content, *host.peers.values())

        host = self.run(late)

        assert Drop.FAILED not in {drop.reason for drop in host.drops}

    def test_a_slow_peer_does_not_fill_the_memory(self) -> None:
        content = self.long_reply(self.load().spec, _PART)
        if content is None:
            pytest.skip("it sends neither text nor bytes; override `long_reply`")

        async def flood(host: RecordingHost) -> None:
            await self.arrive(host)
            for stream in host.streams:
                stream.stalled = True
            for _ in range(_PARTS):
                host.deliver(content)
            for stream in host.streams:
                # One that finds less than the limit queued is written whole.
                assert stream.closed or stream.unsent_bytes <= _UNSENT + 2 * _PART

        self.run(flood, limits=Limits(unsent_bytes=_UNSENT))

    def test_its_figures_have_names_for_metrics(self) -> None:
        async def look(host: RecordingHost) -> None:
            await self.arrive(host)
            for name, value in host.protocol.figures().items():
                assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
                assert isinstance(value, int | float)

        self.run(look)
