"""Control flow: what a consumer raises on purpose, and what the peer gets for it."""

from __future__ import annotations

import logging

import pytest

from fairway.core.consumer.control import (
    MAX_RETRIES,
    CloseConnection,
    ConsumeLater,
    ControlFlow,
    DenyConnection,
    UnsupportedData,
)
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import route
from fairway.core.content import Content
from fairway.core.drops import Drop
from fairway.core.exceptions import FairwayError
from fairway.testing.client import ConsumerClient, Refused
from tests.core.consumer.conftest import MakeSite

WEBSOCKET = (
    "accept",
    "text",
    "bytes",
    "close",
    "reason",
    "status",
    "content",
    "headers",
)
HTTP = ("status", "headers", "content")
LINES = ("text", "close")

REPLIES: list[tuple[ControlFlow, str, tuple[str, ...], Content]] = [
    (
        DenyConnection(),
        "websocket.connect",
        WEBSOCKET,
        {"accept": False, "status": 403, "content": b"", "headers": []},
    ),
    (
        DenyConnection(401, "who?", {"www-authenticate": "Basic"}),
        "http.request",
        HTTP,
        {
            "status": 401,
            "content": b"who?",
            "headers": [[b"www-authenticate", b"Basic"]],
        },
    ),
    (DenyConnection(content=b"no"), "lines.connect", LINES, {"accept": False}),
    (DenyConnection(), "websocket.receive", WEBSOCKET, {"close": True}),
    (CloseConnection(), "websocket.receive", WEBSOCKET, {"close": 1000}),
    (
        CloseConnection(4001, "late"),
        "websocket.receive",
        WEBSOCKET,
        {"close": 4001, "reason": "late"},
    ),
    (CloseConnection(4001, "late"), "lines.receive", LINES, {"close": 4001}),
    (UnsupportedData(), "websocket.receive", ("text", "close"), {"close": 1007}),
    (UnsupportedData(), "http.request", HTTP, {"status": 400}),
    (UnsupportedData(), "datagrams.receive", (), {"close": True}),
]


@pytest.mark.parametrize(("control", "channel", "keys", "expected"), REPLIES)
def test_the_peer_gets_what_its_protocol_can_carry(
    control: ControlFlow, channel: str, keys: tuple[str, ...], expected: Content
) -> None:
    assert control.reply(channel, keys) == expected


def test_control_flow_is_no_error_of_fairway() -> None:
    assert not issubclass(ControlFlow, FairwayError)


def test_a_denied_peer_gets_the_refusal_and_nothing_else(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    def deny(message: Message) -> None:
        message.reply_channel.send({"accept": True})
        raise DenyConnection(404)

    client = ConsumerClient(make_site([route("websocket.connect", deny)]))

    with pytest.raises(Refused) as caught:
        client.connect()

    assert caught.value.content["status"] == 404
    assert client.waiting == []
    assert caplog.records == []


def test_text_that_is_not_utf_8_is_answered_by_the_protocol(
    make_site: MakeSite,
) -> None:
    def shout(message: Message) -> None:
        assert message.text

    client = ConsumerClient(make_site([route("*.receive", shout)]))

    client.send(b"\xff")

    assert client.receive() == {"status": 400, "close": 1007}


def test_a_consumer_may_put_its_message_off(make_site: MakeSite) -> None:
    seen: list[tuple[int | None, int]] = []

    def patient(message: Message) -> None:
        seen.append((message.order, message.retries))
        message.state["tried"] = message.retries
        if message.retries < 2:
            raise ConsumeLater

    client = ConsumerClient(make_site([route("websocket.receive", patient)]))

    client.send("a")

    assert seen == [(0, 0), (0, 1), (0, 2)]
    _ = client.waiting
    assert client.state == {"tried": 2}


def test_a_message_without_order_may_be_put_off_too(make_site: MakeSite) -> None:
    seen: list[int] = []

    def patient(message: Message) -> None:
        seen.append(message.retries)
        if message.retries < 1:
            raise ConsumeLater

    site = make_site([route("thumbnails", patient)])
    site.layer.send("thumbnails", b"\x80")

    site.run()

    assert seen == [0, 1]


def test_a_message_that_was_put_off_too_often_has_failed(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[int] = []

    def never(message: Message) -> None:
        tried.append(message.retries)
        raise ConsumeLater

    site = make_site([route("websocket.receive", never)], raises=False)
    client = ConsumerClient(site)

    client.send("a")

    assert tried == list(range(MAX_RETRIES + 1))
    assert client.receive() == {"close": 1011}
    assert site.layer.drops.counts()[("websocket.receive", Drop.FAILED)] == 1
    assert [record.levelno for record in caplog.records] == [
        logging.ERROR,
        logging.WARNING,
    ]
