"""What a newcomer reads first is true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from fairway.testing.client import ConsumerClient
from fairway.testing.site import ConsumerSite
from tests.support.processes import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PLUGINS: dict[str, Any] = {"http": {}, "websocket": {}}
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def _routes(containing: str) -> Any:
    (snippet,) = [snippet for snippet in SNIPPETS if containing in snippet]
    names: dict[str, Any] = {}
    exec(snippet, names)
    return names["channel_routing"]


def test_it_is_short_and_shows_code_early() -> None:
    lines = README.splitlines()

    assert len(lines) <= 120
    assert lines.index("```python") < 40


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_its_links_lead_somewhere(link: str) -> None:
    assert Path(ROOT, link).exists()


def test_its_first_consumer_answers_in_capitals() -> None:
    with ConsumerSite(_routes("def shout"), plugins=PLUGINS) as site:
        client = ConsumerClient(site)
        client.connect("/anywhere/")
        client.send("hello")

        assert client.receive() == {"text": "HELLO"}


def test_its_chat_room_chats() -> None:
    with ConsumerSite(_routes("class Room"), plugins=PLUGINS) as site:
        ada, grace = ConsumerClient(site), ConsumerClient(site)
        ada.connect("/room/")
        grace.connect("/room/")
        ada.send("Ahoy!")

        heard = grace.receive()

    assert heard is not None
    assert re.fullmatch(r"guest-.{4}: Ahoy!", heard["text"])
