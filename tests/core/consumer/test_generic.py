"""The class-based consumers of Channels 1."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from fairway.core.bus.channels import Group
from fairway.core.consumer.control import CloseConnection
from fairway.core.consumer.generic import (
    BaseConsumer,
    JsonWebsocketConsumer,
    WebsocketConsumer,
)
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import route, route_class
from fairway.core.content import encode_content
from fairway.testing.client import ConsumerClient
from tests.core.consumer.conftest import MakeSite


class Echo(WebsocketConsumer):
    http_user = True
    strict_ordering = True

    def connection_groups(self, **kwargs: Any) -> list[str]:
        return [f"room-{kwargs['room']}"]

    def receive(
        self, text: str | None = None, bytes: bytes | None = None, **kwargs: Any
    ) -> None:
        match text:
            case "close":
                self.close(4001)
            case "raise":
                raise CloseConnection(4002)
            case "all":
                self.group_send(f"room-{kwargs['room']}", text="to all")
            case "last":
                self.send(text="last", close=True)
            case _:
                self.send(text=text, bytes=bytes)

    def disconnect(self, message: Message, **kwargs: Any) -> None:
        Group("log").send({"text": f"{self.path} left"})


ECHO = [route_class(Echo, path=r"^/(?P<room>\w+)/$")]


@pytest.fixture
def client(make_site: MakeSite) -> ConsumerClient:
    client = ConsumerClient(make_site(ECHO))
    client.connect("/a/")
    return client


def test_a_websocket_is_accepted_and_echoed(client: ConsumerClient) -> None:
    client.send("hello")
    client.send(b"\x00")
    client.send("")

    assert client.waiting == [{"text": "hello"}, {"bytes": b"\x00"}, {"text": ""}]


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("close", {"close": 4001}),
        ("raise", {"close": 4002}),
        ("all", {"text": "to all"}),
        ("last", {"text": "last", "close": True}),
    ],
)
def test_what_it_may_answer(
    client: ConsumerClient, text: str, reply: dict[str, Any]
) -> None:
    client.send(text)

    assert client.receive() == reply


def test_its_groups_are_joined_and_left(client: ConsumerClient) -> None:
    assert client.groups == {"room-a"}

    client.disconnect()

    assert Group("room-a").channels() == []


def test_sending_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="give text or bytes"):
        WebsocketConsumer(Message({}, "websocket.receive")).send()


def test_a_bare_consumer_accepts_and_ignores(make_site: MakeSite) -> None:
    class Silent(WebsocketConsumer):
        groups = ["all"]

    client = ConsumerClient(make_site([route_class(Silent)]))

    assert client.connect() == {"accept": True}
    client.send("a")
    client.disconnect()

    assert client.site.layer.drops.counts() == {}


class Calculator(JsonWebsocketConsumer):
    def receive(self, content: Any, **kwargs: Any) -> None:
        if content == "all":
            self.group_send("sums", {"sum": 0})
        else:
            self.send({"sum": sum(content)}, close=content == [])

    groups = ["sums"]


@pytest.fixture
def calculator(make_site: MakeSite) -> ConsumerClient:
    client = ConsumerClient(make_site([route_class(Calculator)]))
    client.connect()
    return client


def test_json_is_decoded_and_encoded(calculator: ConsumerClient) -> None:
    calculator.send_json([1, 2])
    calculator.send_json("all")
    calculator.send_json([])

    assert calculator.receive_json() == {"sum": 3}
    assert calculator.receive_json() == {"sum": 0}
    assert calculator.receive() == {"text": '{"sum": 0}', "close": True}


def test_bytes_are_no_json(calculator: ConsumerClient) -> None:
    calculator.send(b"[1]")

    assert calculator.receive() == {"close": 1003, "reason": "only text is understood"}


@pytest.mark.parametrize("text", ["[1", "[" * 200_000])
def test_a_text_that_is_no_json_is_unsupported_data(
    calculator: ConsumerClient, text: str
) -> None:
    calculator.send(text)

    assert calculator.receive()["close"] == 1007


class Jobs(BaseConsumer):
    method_mapping = {"job.start": "start", "job.end": "end"}
    answer = "out"

    def start(self, message: Message, **kwargs: Any) -> None:
        Group(self.answer).send({"job": message["job"], **kwargs})

    def end(self, message: Message, **kwargs: Any) -> None:
        """Do nothing."""


def test_a_base_consumer_calls_the_method_of_the_channel(make_site: MakeSite) -> None:
    site = make_site([Jobs.as_route({"answer": "results"}, job=r"^(?P<kind>\w)")])
    Group("results").add("collected")

    site.layer.send("job.start", encode_content({"job": "a1"}))
    site.layer.send("job.end", encode_content({"job": "a1"}))
    site.run()

    assert site.waiting("collected") == [{"job": "a1", "kind": "a"}]
    assert Jobs.answer == "out"


def test_a_class_may_stand_in_a_plain_route(make_site: MakeSite) -> None:
    client = ConsumerClient(make_site([route("websocket.receive", Calculator)]))

    client.send_json([1])

    assert client.receive_json() == {"sum": 1}


@pytest.mark.usefixtures("database")
def test_the_user_is_at_hand(make_site: MakeSite, alice: User) -> None:
    class Whoami(WebsocketConsumer):
        channel_session_user = True

        def receive(self, **kwargs: Any) -> None:
            self.send(text=str(self.message.user))

    client = ConsumerClient(make_site([Whoami.as_route(path="^/")]))
    client.connect(user=alice)

    client.send("who?")

    assert client.receive() == {"text": "alice"}
