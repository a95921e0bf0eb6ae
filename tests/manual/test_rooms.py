"""The rooms of the manual let in whom they should."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import signing
from django.core.management import call_command

from fairway.testing.client import ConsumerClient, Refused
from fairway.testing.site import ConsumerSite
from tests.manual import private_room, token_room

PLUGINS: dict[str, object] = {"http": {}, "websocket": {}}


@pytest.fixture(scope="module")
def ada() -> User:
    call_command("migrate", verbosity=0)
    user: User = User.objects.create_user("ada")
    return user


@pytest.fixture
def private() -> Iterator[ConsumerSite]:
    with ConsumerSite(private_room.channel_routing, plugins=PLUGINS) as site:
        yield site


@pytest.fixture
def machines() -> Iterator[ConsumerSite]:
    with ConsumerSite(token_room.channel_routing, plugins=PLUGINS) as site:
        yield site


def test_a_user_is_known_on_every_event(private: ConsumerSite, ada: User) -> None:
    client = ConsumerClient(private)
    client.connect("/private/", user=ada)

    client.send("hello")

    assert client.receive() == {"text": "ada: hello"}
    assert client.groups == {f"user.{ada.pk}"}


def test_after_a_log_out_the_next_event_is_anonymous(
    private: ConsumerSite, ada: User
) -> None:
    client = ConsumerClient(private)
    client.connect("/private/", user=ada)

    Session.objects.all().delete()
    client.send("hello")

    assert client.receive() == {"text": ": hello"}


def test_a_stranger_is_refused(private: ConsumerSite, ada: User) -> None:
    with pytest.raises(Refused):
        ConsumerClient(private).connect("/private/")


def test_a_token_opens_the_room_of_machines(machines: ConsumerSite) -> None:
    token = signing.dumps("drone 7", salt="room")
    client = ConsumerClient(machines)

    client.connect(f"/machines/?token={token}")
    client.send("landed")

    assert client.receive() == {"text": "drone 7: landed"}


@pytest.mark.parametrize("query", ["", "?token=forged", "?token=%FF"])
def test_without_a_valid_token_it_stays_closed(
    machines: ConsumerSite, query: str
) -> None:
    with pytest.raises(Refused):
        ConsumerClient(machines).connect(f"/machines/{query}")
