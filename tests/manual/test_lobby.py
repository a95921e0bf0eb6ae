"""Tests of consumers, as the manual shows them."""

from collections.abc import Iterator

import pytest

from fairway import Channel
from fairway.testing.client import ConsumerClient, Refused
from fairway.testing.site import ConsumerSite
from tests.manual.lobby import channel_routing


@pytest.fixture
def site() -> Iterator[ConsumerSite]:
    with ConsumerSite(channel_routing, plugins={"http": {}, "websocket": {}}) as site:
        yield site


def test_everybody_in_a_lobby_hears_what_is_said(site: ConsumerSite) -> None:
    ada, bob = ConsumerClient(site), ConsumerClient(site)
    ada.connect("/lobby/blue/")
    bob.connect("/lobby/blue/")

    ada.send("ahoy")

    assert ada.receive() == {"text": "ahoy"}
    assert bob.receive() == {"text": "ahoy"}


def test_the_attic_is_closed(site: ConsumerSite) -> None:
    with pytest.raises(Refused) as refused:
        ConsumerClient(site).connect("/lobby/attic/")

    assert refused.value.content["status"] == 404


def test_what_is_said_is_counted(site: ConsumerSite) -> None:
    ada = ConsumerClient(site)
    ada.connect("/lobby/blue/")

    ada.send("one")
    ada.send("two")

    assert ada.state["said"] == 2


def test_a_message_to_a_channel_waits_for_whoever_takes_it(site: ConsumerSite) -> None:
    Channel("reports.monthly").send({"month": "2026-11"})

    assert site.waiting("reports.monthly") == [{"month": "2026-11"}]
