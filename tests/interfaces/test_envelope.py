"""The envelope of events, and how it is joined with content."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.content import (
    STATE,
    Content,
    Encoded,
    decode_content,
    encode_content,
)
from fairway.core.drops import Drop
from fairway.core.exceptions import MessageTooLarge
from fairway.core.plugin.host import Peer
from fairway.core.plugin.web import RequestHead
from fairway.interfaces.envelope import envelope_of, in_envelope, join
from fairway.interfaces.order import PeerOrder
from fairway.interfaces.peers import LocalPeer

VALUES = st.none() | st.booleans() | st.text(max_size=20) | st.binary(max_size=20)
CONTENTS = st.dictionaries(st.text(max_size=12), VALUES, max_size=40)

HEAD = RequestHead(
    method="GET",
    path="/chat/",
    raw_path=b"/chat/",
    query_string=b"room=1",
    headers=[(b"host", b"example.com")],
    http_version="1.1",
    scheme="https",
    client="192.0.2.1:5123",
    server=("192.0.2.99", 443),
)


class Nobody:
    """An owner that is told nothing in these tests."""

    def deliver(self, peers: Sequence[LocalPeer], content: Content) -> None: ...
    def done(self, peer: LocalPeer, order: int, state: Encoded | None) -> None: ...
    def busy(self, peer: LocalPeer, order: int) -> None: ...
    def lost(self, peer: LocalPeer, order: int) -> None: ...
    def swallowed(self, peer: LocalPeer, order: int, why: Drop) -> None: ...
    def forwarded(self, peer: LocalPeer, content: Content) -> None: ...
    def close_peer(self, peer: Peer) -> None: ...


def make_peer(*, ordered: bool = True) -> LocalPeer:
    peer = LocalPeer(Nobody(), handle=None, id="x:1", client="192.0.2.1:5123")
    peer.reply_channel = "interface.1!1"
    peer.order = PeerOrder() if ordered else None
    return peer


def read(peer: LocalPeer) -> dict[str, Any]:
    return decode_content(envelope_of(peer, "x"))


@given(CONTENTS, CONTENTS)
def test_joined_maps_read_as_one(first: Content, second: Content) -> None:
    joined = join(encode_content(first), encode_content(second))

    assert decode_content(joined) == {**first, **second}


def test_maps_of_any_size_join() -> None:
    first = {str(number): number for number in range(70_000)}

    joined = join(encode_content(first), encode_content({"more": True}))

    assert decode_content(joined) == {**first, "more": True}


def test_every_event_says_who_it_comes_from() -> None:
    peer = make_peer()

    expected = {
        "reply_channel": "interface.1!1",
        "peer": "x:1",
        "protocol": "x",
        "client": "192.0.2.1:5123",
    }
    assert read(peer) == expected
    assert read(peer) == expected


def test_the_path_goes_with_every_event() -> None:
    peer = make_peer()
    peer.path = "/chat/"

    assert [read(peer)["path"] for _ in range(3)] == ["/chat/"] * 3


def test_the_head_goes_with_the_first_event_only() -> None:
    peer = make_peer()
    peer.head, peer.path = HEAD, HEAD.path

    first, second = read(peer), read(peer)

    assert first["query_string"] == b"room=1"
    assert first["headers"] == [[b"host", b"example.com"]]
    assert first["scheme"] == "https"
    assert first["server"] == ["192.0.2.99", 443]
    assert second.keys() == {"reply_channel", "peer", "protocol", "client", "path"}
    assert peer.head is None


def test_a_new_peer_without_a_connection_is_said_to_be_new() -> None:
    peer = make_peer(ordered=False)

    assert read(peer)["first"] is True
    assert "first" not in read(peer)


def test_a_request_is_not_said_to_be_new() -> None:
    peer = make_peer(ordered=False)
    peer.head = HEAD

    assert "first" not in read(peer)


def test_an_event_without_a_peer_has_no_reply_channel() -> None:
    encoded = in_envelope(None, "mail", {"a": 1}, 100)

    assert decode_content(encoded) == {"protocol": "mail", "a": 1}


def test_what_an_event_says_itself_wins_in_its_first_and_its_later_events() -> None:
    peer = make_peer(ordered=False)
    peer.head, peer.path, peer.state = HEAD, HEAD.path, encode_content({"n": 1})

    for _ in range(2):
        encoded = in_envelope(peer, "x", {"path": "/own/", "a": b"b"}, 100)
        found = decode_content(encoded)

        assert (found["path"], found["a"], found["peer"]) == ("/own/", b"b", "x:1")
        assert decode_content(found[STATE]) == {"n": 1}


def test_an_event_that_is_too_large_takes_no_envelope_with_it() -> None:
    peer = make_peer(ordered=False)
    peer.head = HEAD

    with pytest.raises(MessageTooLarge, match="59"):
        in_envelope(peer, "x", {"a": b"b" * 54}, 58)

    # The envelope itself does not count.
    first = decode_content(in_envelope(peer, "x", {"a": b"b" * 54}, 59))
    assert first["headers"] == [[b"host", b"example.com"]]
