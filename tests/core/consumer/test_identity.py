"""Sessions and users behind the events of a peer."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import override_settings
from django.test.client import Client as Browser

from fairway.core.consumer.auth import (
    channel_and_http_session_user_from_http,
    channel_session_user,
    channel_session_user_from_http,
    http_session_user,
)
from fairway.core.consumer.control import ConsumeLater
from fairway.core.consumer.identity import open_channel_session, save_channel_session
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import Routing, route
from fairway.core.consumer.sessions import (
    channel_and_http_session,
    channel_session,
    enforce_ordering,
    http_session,
)
from fairway.core.exceptions import ConfigurationError
from fairway.testing.client import ConsumerClient
from fairway.testing.site import ConsumerSite
from tests.core.consumer.conftest import MakeSite

pytestmark = pytest.mark.usefixtures("database")

SIGNED_COOKIES = "django.contrib.sessions.backends.signed_cookies"


def whoami(message: Message) -> None:
    message.reply_channel.send({"text": str(message.user)})


def accept(message: Message) -> None:
    message.reply_channel.send({"accept": True})


EVERYWHERE: Routing = [
    route("websocket.connect", accept),
    route(["websocket.receive", "websocket.disconnect"], whoami),
    route("http.request", whoami),
]


@pytest.fixture
def site(make_site: MakeSite) -> ConsumerSite:
    return make_site(EVERYWHERE, "websocket", "http")


def text(client: ConsumerClient) -> str:
    return str(client.receive()["text"])


def test_the_user_of_the_sites_cookie_is_there_on_later_events(
    site: ConsumerSite, alice: User
) -> None:
    client = ConsumerClient(site)
    client.connect(user=alice)

    client.send("who am I?")

    assert text(client) == "alice"
    assert client.state.keys() == {"_session"}


def test_the_user_is_there_on_a_request(site: ConsumerSite, alice: User) -> None:
    client = ConsumerClient(site, "http")
    client.force_login(alice)

    assert client.request("/") == {"text": "alice"}


def test_the_user_is_there_when_nobody_routes_the_connect(
    make_site: MakeSite, alice: User
) -> None:
    client = ConsumerClient(make_site([route("websocket.receive", whoami)]))
    client.connect(user=alice)

    client.send("who am I?")

    assert text(client) == "alice"


def test_a_peer_without_a_cookie_is_anonymous(site: ConsumerSite) -> None:
    client = ConsumerClient(site)
    client.connect(headers={"cookie": "other=1"})

    client.send("who am I?")

    assert text(client) == "AnonymousUser"


def test_users_never_leak_between_peers(site: ConsumerSite, alice: User) -> None:
    bob = User.objects.create_user("bob", password="secret")
    clients = [ConsumerClient(site) for _ in range(3)]
    for client, user in zip(clients, (alice, bob, None), strict=True):
        client.connect(user=user)

    for _ in range(2):
        for client in clients:
            client.send("who am I?")

    assert [[content["text"] for content in c.waiting] for c in clients] == [
        ["alice"] * 2,
        ["bob"] * 2,
        ["AnonymousUser"] * 2,
    ]


def test_a_session_that_ended_makes_its_peers_anonymous(
    site: ConsumerSite, alice: User
) -> None:
    client = ConsumerClient(site)
    client.connect(user=alice)

    Session.objects.all().delete()
    client.send("who am I?")

    assert text(client) == "AnonymousUser"


def test_a_changed_password_makes_the_peers_of_old_sessions_anonymous(
    site: ConsumerSite, alice: User
) -> None:
    client = ConsumerClient(site)
    client.connect(user=alice)

    alice.set_password("another")
    alice.save()
    client.send("who am I?")

    assert text(client) == "AnonymousUser"


def test_sessions_in_signed_cookies_are_read(make_site: MakeSite, alice: User) -> None:
    with override_settings(SESSION_ENGINE=SIGNED_COOKIES):
        client = ConsumerClient(make_site(EVERYWHERE))
        client.connect(user=alice)

        client.send("who am I?")

        assert text(client) == "alice"


def session_key_of(client: ConsumerClient) -> str:
    return client.cookies[settings.SESSION_COOKIE_NAME]


def logged_in(site: ConsumerSite, user: User) -> ConsumerClient:
    client = ConsumerClient(site)
    client.connect(user=user)
    return client


@http_session
def visit(message: Message) -> None:
    session = message.http_session
    assert session is message.session
    if session is not None:
        session["visits"] = session.get("visits", 0) + 1
        message.reply_channel.send({"text": str(session["visits"])})
    if message.text == "fail":
        raise ValueError


VISITS = [route("websocket.receive", visit)]


def test_the_sites_session_is_shared_with_its_views(
    make_site: MakeSite, alice: User
) -> None:
    client = logged_in(make_site(VISITS), alice)
    browser = Browser()
    browser.cookies[settings.SESSION_COOKIE_NAME] = session_key_of(client)

    client.send("hello")
    client.send("hello")

    assert browser.session["visits"] == 2


def test_a_session_is_not_saved_when_the_consumer_raised(
    make_site: MakeSite, alice: User
) -> None:
    client = logged_in(make_site(VISITS, raises=False), alice)

    client.send("fail")
    client.send("hello")

    assert client.waiting == [{"close": 1011}, {"text": "1"}]


@pytest.mark.parametrize("cookie", ["", "sessionid=0123456789abcdef0123456789abcdef"])
def test_a_session_is_never_created_by_a_consumer(
    make_site: MakeSite, cookie: str
) -> None:
    client = ConsumerClient(make_site(VISITS))
    client.connect(headers={"cookie": cookie})

    client.send("hello")

    assert Session.objects.count() == 0


@channel_session
def remember(message: Message) -> None:
    said = message.channel_session.setdefault("said", [])
    said.append(message.text)
    message.channel_session.modified = True
    message.reply_channel.send({"text": " ".join(said)})
    if message.text == "fail":
        raise ValueError


REMEMBERING = [route("websocket.receive", remember)]


def test_a_channel_session_belongs_to_one_peer(make_site: MakeSite) -> None:
    site = make_site(REMEMBERING)
    ada, bob = ConsumerClient(site), ConsumerClient(site)

    for client, what in ((ada, "a"), (bob, "b"), (ada, "c")):
        client.send(what)

    assert ada.waiting[-1] == {"text": "a c"}
    assert bob.waiting[-1] == {"text": "b"}


def test_a_channel_session_is_not_saved_when_the_consumer_raised(
    make_site: MakeSite,
) -> None:
    client = ConsumerClient(make_site(REMEMBERING, raises=False))
    client.send("a")

    client.send("fail")
    client.send("b")

    assert client.waiting[-1] == {"text": "a b"}


def test_a_channel_session_that_is_not_used_costs_no_row(make_site: MakeSite) -> None:
    def look(message: Message) -> None:
        message.channel_session.get("nothing")

    ConsumerClient(make_site([route("websocket.receive", look)])).send("a")

    assert Session.objects.count() == 0


def test_a_channel_session_goes_when_its_peer_has_left(make_site: MakeSite) -> None:
    client = ConsumerClient(make_site(REMEMBERING))
    client.send("a")
    assert Session.objects.count() == 1

    client.disconnect()

    assert Session.objects.count() == 0


def test_a_channel_session_is_no_login_to_the_site(make_site: MakeSite) -> None:
    """Its key cannot be worked out from the peer's identity, which others may know."""
    client = ConsumerClient(make_site(REMEMBERING))
    client.send("a")

    [session] = Session.objects.all()

    assert len(session.session_key) == 32
    assert client.reply_channel not in session.session_key


def test_a_channel_session_in_a_cookie_is_an_error_that_says_so(
    make_site: MakeSite,
) -> None:
    client = ConsumerClient(make_site(REMEMBERING))

    with (
        override_settings(SESSION_ENGINE=SIGNED_COOKIES),
        pytest.raises(ConfigurationError, match="keeps sessions in cookies"),
    ):
        client.send("a")


def test_a_channel_session_may_hold_a_login_of_its_own(
    make_site: MakeSite, alice: User
) -> None:
    @channel_session
    def log_in(message: Message) -> None:
        browser = Browser()
        browser.force_login(alice)
        message.channel_session.update(browser.session.items())

    site = make_site(
        [
            route("websocket.receive", log_in, text="^login$"),
            route("websocket.receive", channel_session_user(whoami)),
        ]
    )
    client = ConsumerClient(site)

    for what in ("who?", "login", "who?"):
        client.send(what)

    assert [content["text"] for content in client.waiting] == ["AnonymousUser", "alice"]


def test_a_channel_session_that_somebody_else_has_just_created_is_tried_again() -> None:
    first, second = open_channel_session("sms:+46"), open_channel_session("sms:+46")
    for session in (first, second):
        session["said"] = "a"

    assert save_channel_session(first, "sms:+46")
    with pytest.raises(ConsumeLater):
        save_channel_session(second, "sms:+46")


def test_a_change_of_the_secret_key_logs_nobody_out(
    site: ConsumerSite, alice: User
) -> None:
    client = ConsumerClient(site)
    client.connect(user=alice)

    for _ in range(2):
        with override_settings(
            SECRET_KEY="a new one", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]
        ):
            client.send("who am I?")
            assert text(client) == "alice"


DECORATORS = [
    channel_and_http_session,
    channel_and_http_session_user_from_http,
    channel_session,
    channel_session_user,
    channel_session_user_from_http,
    enforce_ordering,
    enforce_ordering(slight=False),
    http_session,
    http_session_user,
]


@pytest.mark.parametrize("decorator", DECORATORS)
def test_the_decorators_of_channels_1_leave_the_user_at_hand(
    decorator: Any, make_site: MakeSite, alice: User
) -> None:
    client = logged_in(
        make_site([route("websocket.receive", decorator(whoami))]), alice
    )

    client.send("who am I?")

    assert text(client) == "alice"


def test_a_decorator_finds_the_message_behind_self(
    make_site: MakeSite, alice: User
) -> None:
    class Chat:
        @channel_session_user
        def receive(self, message: Message) -> None:
            whoami(message)

    client = logged_in(make_site([route("websocket.receive", Chat().receive)]), alice)

    client.send("who am I?")

    assert text(client) == "alice"
