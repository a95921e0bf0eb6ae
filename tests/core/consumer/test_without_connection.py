"""What is kept for peers that have no connection, or no server of their own."""

from __future__ import annotations

import pytest
from django.contrib.sessions.models import Session
from django.test import override_settings

from fairway.core.bus.channels import Group
from fairway.core.consumer.control import ConsumeLater
from fairway.core.consumer.conversation import Conversation
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import route, route_class
from fairway.core.exceptions import ConfigurationError
from fairway.testing.client import ConsumerClient
from fairway.testing.site import ConsumerSite
from tests.core.consumer.conftest import MakeSite

pytestmark = pytest.mark.usefixtures("database")

ANN, BOB = "+4670 1", "+4670 2"


class Counter(Conversation):
    """Counts what a peer says."""

    groups = ("everybody",)

    def connected(self) -> None:
        self.state["said"] = 0
        self.reply("welcome")

    def received(self) -> None:
        self.state["said"] += 1
        if self.message.text == "fail":
            raise RuntimeError("on purpose")
        self.reply(str(self.state["said"]))


@pytest.fixture
def site(make_site: MakeSite) -> ConsumerSite:
    return make_site([route_class(Counter)], "letters", "datagrams")


@pytest.fixture(params=["letters", "datagrams"])
def client(request: pytest.FixtureRequest, site: ConsumerSite) -> ConsumerClient:
    return ConsumerClient(site, request.param, client=ANN)


def texts(client: ConsumerClient) -> list[str]:
    return [content["text"] for content in client.waiting]


def test_state_is_kept_without_a_connection(client: ConsumerClient) -> None:
    for text in ("a", "b", "c"):
        client.send(text)

    assert texts(client) == ["welcome", "1", "2", "3"]


def test_a_consumer_that_raised_has_changed_nothing(
    make_site: MakeSite, client: ConsumerClient
) -> None:
    client.site.raises = False

    for text in ("a", "fail", "b"):
        client.send(text)

    assert texts(client) == ["welcome", "1", "2"]


def test_state_that_did_not_change_is_not_sent_back(make_site: MakeSite) -> None:
    def look(message: Message) -> None:
        message.reply_channel.send({"text": str(message.state)})

    client = ConsumerClient(
        make_site([route("*.receive", look)], "datagrams"), "datagrams"
    )
    client.send("a")
    client.send("b")

    assert texts(client) == ["{}", "{}"]
    assert client._state is None


def test_a_message_that_is_put_off_keeps_its_state(make_site: MakeSite) -> None:
    def later(message: Message) -> None:
        message.state["said"] = message.state.get("said", 0) + 1
        if message.text == "later" and not message.retries:
            raise ConsumeLater
        message.reply_channel.send({"text": str(message.state["said"])})

    client = ConsumerClient(
        make_site([route("*.receive", later)], "datagrams"), "datagrams"
    )
    for text in ("a", "later", "b"):
        client.send(text)

    assert texts(client) == ["1", "2", "3"]


def test_a_shared_peer_is_known_again_whoever_carries_it(site: ConsumerSite) -> None:
    ConsumerClient(site, "letters", client=ANN).send("a")
    again = ConsumerClient(site, "letters", client=ANN)
    other = ConsumerClient(site, "letters", client=BOB)

    again.send("b")
    other.send("c")

    assert texts(again)[-1] == "2"
    assert texts(other) == ["welcome", "1"]


def test_a_shared_peer_joins_its_groups_again_with_every_event(
    site: ConsumerSite,
) -> None:
    client = ConsumerClient(site, "letters", client=ANN)
    client.send("a")
    client.site.layer.group_discard("everybody", client.reply_channel)

    client.send("b")

    assert Group("everybody").channels() == [client.reply_channel]


def test_a_peer_without_a_connection_joins_once(site: ConsumerSite) -> None:
    client = ConsumerClient(site, "datagrams")
    client.send("a")
    client.site.layer.group_discard("everybody", client.reply_channel)

    client.send("b")

    assert Group("everybody").channels() == []


def test_a_plain_consumer_of_a_shared_peer_touches_no_session(
    make_site: MakeSite,
) -> None:
    def echo(message: Message) -> None:
        message.reply_channel.send({"text": message.text})

    client = ConsumerClient(
        make_site([route("*.receive", echo)], "letters"), "letters", client=ANN
    )
    client.send("a")

    assert texts(client) == ["a"]
    assert not Session.objects.exists()


def test_sessions_in_cookies_cannot_keep_a_shared_peer(site: ConsumerSite) -> None:
    engine = "django.contrib.sessions.backends.signed_cookies"
    client = ConsumerClient(site, "letters", client=ANN)

    with override_settings(SESSION_ENGINE=engine):
        with pytest.raises(ConfigurationError, match="SESSION_ENGINE"):
            client.send("a")
