"""Conversation: one class, several protocols."""

from __future__ import annotations

import pytest

from fairway.core.bus.channels import Group
from fairway.core.consumer.control import DenyConnection
from fairway.core.consumer.conversation import Conversation
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import route_class
from fairway.testing.client import ConsumerClient, Refused
from fairway.testing.site import ConsumerSite
from tests.core.consumer.conftest import MakeSite

PROTOCOLS = ["websocket", "lines"]


class Room(Conversation):
    """Tells everybody what anybody says."""

    groups = ("everybody",)

    def connected(self) -> None:
        self.state["said"] = 0
        if self.message.path == "/closed/":
            raise DenyConnection

    def received(self) -> None:
        self.state["said"] += 1
        match self.message.text:
            case "away":
                self.leave("everybody")
            case "back":
                self.join("everybody")
            case "bye":
                self.close()
            case text:
                said = f"{self.protocol} {self.state['said']}: {text}"
                self.broadcast("everybody", said)

    def disconnected(self) -> None:
        self.broadcast("everybody", f"{self.protocol} left")


@pytest.fixture
def site(make_site: MakeSite) -> ConsumerSite:
    return make_site([route_class(Room)], "websocket", "lines", "http", "datagrams")


def connected(site: ConsumerSite, protocol: str) -> ConsumerClient:
    client = ConsumerClient(site, protocol)
    assert client.connect() == {"accept": True}
    return client


def texts(client: ConsumerClient) -> list[str]:
    return [content["text"] for content in client.waiting]


def test_peers_of_different_protocols_talk_to_each_other(site: ConsumerSite) -> None:
    ada, bob = connected(site, "websocket"), connected(site, "lines")

    ada.send("hello")
    bob.send(b"hi")

    assert texts(ada) == texts(bob) == ["websocket 1: hello", "lines 1: hi"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_state_is_kept_per_peer(site: ConsumerSite, protocol: str) -> None:
    ada, bob = connected(site, protocol), connected(site, protocol)

    for client in (ada, ada, bob):
        client.send("x")

    assert texts(ada) == [f"{protocol} {n}: x" for n in (1, 2, 1)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_raising_in_connected_refuses_the_peer(
    site: ConsumerSite, protocol: str
) -> None:
    with pytest.raises(Refused):
        ConsumerClient(site, protocol).connect("/closed/")

    assert Group("everybody").channels() == []


def test_a_peer_may_leave_a_group_and_come_back(site: ConsumerSite) -> None:
    client = connected(site, "lines")

    for text in ("away", "unheard", "back", "heard"):
        client.send(text)

    assert texts(client) == ["lines 4: heard"]


def test_a_peer_may_be_closed(site: ConsumerSite) -> None:
    client = connected(site, "lines")

    client.send("bye")

    assert client.receive() == {"close": True}
    assert client.close_code is True


def test_the_others_hear_that_a_peer_has_left(site: ConsumerSite) -> None:
    ada, bob = connected(site, "websocket"), connected(site, "lines")

    bob.disconnect()

    assert texts(ada) == ["lines left"]
    assert Group("everybody").channels() == [ada.reply_channel]


def test_requests_are_no_conversation(site: ConsumerSite) -> None:
    assert ConsumerClient(site, "http").request("/") == {
        "status": 200,
        "content": b"a page",
    }


def test_the_accept_may_say_more(make_site: MakeSite) -> None:
    class Picky(Conversation):
        def connected(self) -> None:
            self.accept(subprotocol="chat")

    client = ConsumerClient(make_site([route_class(Picky)]))

    assert client.connect() == {"accept": True, "subprotocol": "chat"}
    assert client.waiting == []


@pytest.mark.parametrize("what", ["text", b"bytes", {"text": "as it is"}])
def test_a_reply_accepts_by_itself(
    make_site: MakeSite, what: str | bytes | dict[str, str]
) -> None:
    class Greeter(Conversation):
        def connected(self) -> None:
            self.reply(what)

    client = ConsumerClient(make_site([route_class(Greeter)]))
    client.connect()

    assert len(client.waiting) == 1
    assert "accept" not in client.waiting[0]


def test_groups_of_the_route_are_arguments(make_site: MakeSite) -> None:
    class Named(Conversation):
        def received(self) -> None:
            self.reply(f"{self.kwargs['room']} {self.peer} {self.user}")

    site = make_site([route_class(Named, path=r"^/(?P<room>\w+)/$")])
    client = ConsumerClient(site)
    client.connect("/lobby/")

    client.send("where am I?")

    assert client.receive()["text"].startswith("lobby websocket:test.")


def test_without_a_connection_the_first_contact_connects(make_site: MakeSite) -> None:
    class Greeter(Conversation):
        groups = ("everybody",)

        def connected(self) -> None:
            self.reply("welcome")

        def received(self) -> None:
            self.reply(self.message.data)

    client = ConsumerClient(make_site([route_class(Greeter)], "datagrams"), "datagrams")

    client.send("one", first=True)
    client.send(b"two")

    assert client.waiting == [{"text": "welcome"}, {"text": "one"}, {"bytes": b"two"}]
    assert Group("everybody").channels() == [client.reply_channel]


def test_methods_may_be_left_out(make_site: MakeSite) -> None:
    client = ConsumerClient(make_site([route_class(Conversation)]))

    assert client.connect() == {"accept": True}
    client.send("a")
    client.disconnect()

    assert client.site.layer.drops.counts() == {}


def test_a_method_may_be_async(make_site: MakeSite) -> None:
    class Slow(Conversation):
        async def received(self) -> None:  # type: ignore[override]
            self.reply(self.message.text)

    client = ConsumerClient(make_site([route_class(Slow)]))

    client.send("a")

    assert client.receive() == {"text": "a"}


def test_a_consumer_may_be_asked_for_its_channels() -> None:
    assert set(Conversation.channel_names()) == {
        "*.connect",
        "*.receive",
        "*.disconnect",
    }


def test_a_message_without_a_peer_has_no_conversation() -> None:
    conversation = Conversation(Message({}, "x.receive"))

    assert (conversation.peer, conversation.protocol) == ("", "")
