"""A Channels 1 application of function consumers runs after changing its imports."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from fairway.core.bus.channels import Group
from fairway.testing.client import ConsumerClient, Refused
from fairway.testing.site import ConsumerSite
from tests.core.consumer.conftest import MakeSite

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def site(make_site: MakeSite) -> ConsumerSite:
    return make_site("tests.core.consumer.chat_of_channels1.channel_routing")


def join(site: ConsumerSite, path: str, user: User) -> ConsumerClient:
    client = ConsumerClient(site)
    client.connect(path, user=user)
    return client


def test_members_of_a_room_hear_each_other(site: ConsumerSite, alice: User) -> None:
    bob = User.objects.create_user("bob", password="secret")
    clients = [
        join(site, "/chat/sea/", alice),
        join(site, "/chat/sea/", bob),
        join(site, "/chat/land/", bob),
    ]

    clients[0].send("ahoy")
    clients[1].send("ahoy yourself")

    for client in clients[:2]:
        assert client.receive_json() == {"user": "alice", "text": "ahoy"}
        assert client.receive_json() == {"user": "bob", "text": "ahoy yourself"}
    assert clients[2].waiting == []


def test_strangers_are_refused(site: ConsumerSite) -> None:
    with pytest.raises(Refused):
        ConsumerClient(site).connect("/chat/sea/")


def test_who_leaves_is_forgotten(site: ConsumerSite, alice: User) -> None:
    client = join(site, "/chat/sea/", alice)

    client.disconnect()

    assert Group("chat-sea").channels() == []
    assert Session.objects.count() == 1  # the site's own
