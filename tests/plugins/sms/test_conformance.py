"""The sms plugin does what hosts and workers rely on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from fairway.kit import Content, ProtocolSpec
from fairway.plugins.sms import memory
from fairway.testing.plugin import PluginConformance
from fairway.testing.recording import RecordingHost
from fairway.testing.recording_web import Request

ANN = "+46701234567"


@pytest.mark.usefixtures("sessions")
class TestSms(PluginConformance):
    plugin = "sms"
    section: ClassVar[dict[str, Any]] = {
        "provider": "memory",
        "sender": ["+46700000000"],
    }

    # The provider of this test takes no requests.
    bad_requests = (Request(path="/sms/incoming/"),)

    def replies(self, spec: ProtocolSpec) -> Sequence[Content]:
        return [
            {"text": "hi"},
            {"bytes": b"hi"},
            {"media": ["https://example.com/a.png"]},
            {"text": "hi", "sender": "+46700000000"},
            {"accept": True},
            {"close": True},
        ]

    async def converse(self, host: RecordingHost) -> None:
        provider = memory.running[-1]
        await provider.text(ANN, "Help!", id="1")
        await provider.report("2", ANN, "failed", "30003")
        host.deliver({"text": "x" * 10_000})
        await asyncio.sleep(0)

    async def arrive(self, host: RecordingHost) -> None:
        await memory.running[-1].text(ANN, "hello")
