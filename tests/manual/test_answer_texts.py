"""The counter of the manual counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from fairway.testing.client import ConsumerClient
from fairway.testing.site import ConsumerSite
from tests.manual import answer_texts

PLUGINS: dict[str, object] = {"http": {}, "sms": {"provider": "memory"}}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ConsumerSite]:
    engine = "django.contrib.sessions.backends.cache"
    with (
        override_settings(SESSION_ENGINE=engine),
        ConsumerSite(answer_texts.channel_routing, plugins=PLUGINS) as running,
    ):
        yield running


def test_a_phone_counts(site: ConsumerSite) -> None:
    phone = ConsumerClient(site, "sms", client="+46701234567")

    phone.send("3")
    phone.send("4")

    texts = [phone.receive()["text"] for _ in range(3)]
    assert texts[1:] == ["That makes 3.", "That makes 7."]
