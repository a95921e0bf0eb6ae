"""Message: content, text, headers, and what belongs to a peer."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.core.bus.channels import Channel
from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.registry import override_layer
from fairway.core.consumer.control import UnsupportedData
from fairway.core.consumer.message import Message
from fairway.core.exceptions import LocalProtocolError


def message(channel: str = "websocket.receive", **content: Any) -> Message:
    return Message(content, channel)


def test_its_content_reads_like_a_dict() -> None:
    given = message(text="a", order=3)

    given["more"] = 1

    assert given["text"] == "a"
    assert given.get("missing", "b") == "b"
    assert "order" in given
    assert "missing" not in given
    assert dict(given.items()) == given.content
    assert list(given) == list(given.keys()) == ["text", "order", "more"]
    assert list(given.values()) == ["a", 3, 1]
    assert len(given) == 3


def test_the_envelope_is_at_hand() -> None:
    given = message(
        peer="lines:1", protocol="lines", client="192.0.2.1:5", path="/a/", order=4
    )

    assert (given.peer, given.protocol, given.client) == (
        "lines:1",
        "lines",
        "192.0.2.1:5",
    )
    assert (given.path, given.order, given.retries) == ("/a/", 4, 0)
    assert repr(given) == "<Message on websocket.receive of lines:1>"


def test_what_an_event_does_not_carry_is_none() -> None:
    given = message()

    assert (given.peer, given.protocol, given.client, given.path, given.order) == (
        None,
    ) * 5


@pytest.mark.parametrize(
    ("content", "text", "binary", "data"),
    [
        ({"text": "Å"}, "Å", b"\xc3\x85", "Å"),
        ({"bytes": b"\xc3\x85"}, "Å", b"\xc3\x85", b"\xc3\x85"),
        ({"text": ""}, "", b"", ""),
        ({"text": None, "bytes": b""}, "", b"", b""),
    ],
)
def test_text_and_bytes_are_two_views_of_what_came(
    content: dict[str, Any], text: str, binary: bytes, data: str | bytes
) -> None:
    given = message(**content)

    assert (given.text, given.bytes, given.data) == (text, binary, data)


def test_bytes_that_are_not_utf_8_are_unsupported_data() -> None:
    with pytest.raises(UnsupportedData, match="not UTF-8 at byte 1"):
        _ = message(bytes=b"a\xff").text


@pytest.mark.parametrize("view", ["text", "bytes", "data"])
def test_an_event_without_data_says_so(view: str) -> None:
    with pytest.raises(KeyError, match="carries neither text nor bytes"):
        getattr(message("websocket.connect"), view)


def test_an_event_without_a_peer_has_no_reply_channel() -> None:
    with pytest.raises(LocalProtocolError, match="no peer to talk to"):
        _ = message("thumbnails").reply_channel


def test_headers_are_text_without_case() -> None:
    given = message(
        "websocket.connect",
        headers=[
            [b"host", b"example.com"],
            [b"accept", b"a"],
            [b"accept", b"b"],
            [b"cookie", b"c=1"],
            [b"cookie", b"d=2"],
        ],
    )

    assert given.headers["Host"] == "example.com"
    assert given.headers["ACCEPT"] == "a, b"
    assert given.headers["cookie"] == "c=1; d=2"
    assert given.headers.get("origin") is None
    assert list(given.headers) == ["host", "accept", "cookie"]
    assert len(given.headers) == 3
    assert "example.com" not in repr(given.headers)


def test_an_event_without_headers_says_where_they_are() -> None:
    with pytest.raises(KeyError, match="only the first event of a peer"):
        _ = message().headers


def test_the_reply_channel_sends_to_the_layer_that_the_message_came_by() -> None:
    layer = MemoryLayer("memory://", LayerPolicy())
    receiver = layer.receiver(["host!"])
    given = Message({"reply_channel": "host!1"}, "websocket.receive", layer)

    assert given.reply_channel == Channel("host!1")
    given.reply_channel.send({"text": "a"})

    assert [taken.content() for taken in receiver.take(10, 0)] == [{"text": "a"}]


def test_a_message_without_a_layer_uses_the_default_one() -> None:
    layer = MemoryLayer("memory://", LayerPolicy())

    with override_layer(layer):
        assert message().layer is layer


def test_a_copy_has_content_of_its_own() -> None:
    given = message(tags=["a"])

    copied = given.copy()
    copied["tags"].append("b")

    assert given["tags"] == ["a"]
    assert copied.channel == given.channel


def test_state_where_none_is_kept_is_an_error() -> None:
    with pytest.raises(LocalProtocolError, match=r"http\.request has no peer"):
        _ = message("http.request").state


def test_a_channel_session_needs_a_peer() -> None:
    with pytest.raises(LocalProtocolError, match="has no peer"):
        _ = message("thumbnails").channel_session


def test_attributes_may_be_added() -> None:
    given = message()

    given.__dict__["user"] = "somebody"

    assert given.user == "somebody"  # type: ignore[comparison-overlap]
