"""Peer state: what is sent back, what is forgotten, what is fairway's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import route
from fairway.core.consumer.state import STATE_LIMIT, PeerState
from fairway.core.content import decode_content, encode_content
from fairway.core.exceptions import StateTooLarge
from fairway.testing.client import ConsumerClient
from tests.core.consumer.conftest import MakeSite

VALUES = st.dictionaries(
    st.text(max_size=5),
    st.none() | st.integers(-5, 5) | st.text(max_size=5),
    max_size=5,
)


@given(VALUES)
def test_a_state_that_is_only_read_is_not_sent_back(values: dict[str, object]) -> None:
    state = PeerState(encode_content(values) if values else None)

    assert state.values == values
    state.commit()

    assert state.changed() is None


@given(VALUES, VALUES)
def test_a_state_that_changed_is_sent_back_whole(
    before: dict[str, object], after: dict[str, object]
) -> None:
    state = PeerState(encode_content(before))

    state.values.clear()
    state.values.update(after)
    state.commit()

    changed = state.changed()
    assert decode_content(changed or encode_content(before)) == after


def test_a_rollback_forgets_what_was_not_committed() -> None:
    state = PeerState(None)
    state.values["a"] = 1
    state.commit()

    state.values["a"] = 2
    state.rollback()

    assert state.values == {"a": 1}


def test_the_limit_is_named() -> None:
    state = PeerState(None)
    state.values["a"] = "b" * STATE_LIMIT

    with pytest.raises(StateTooLarge, match="exceeds the limit of 4096") as caught:
        state.commit()

    assert caught.value.size > caught.value.limit == STATE_LIMIT


def test_the_session_cookie_is_hidden_from_consumers() -> None:
    state = PeerState(None)

    state.cookie = "secret"

    assert state.values == {}
    changed = state.changed()
    assert changed is not None
    assert PeerState(changed).cookie == "secret"


def test_the_session_cookie_outlives_a_rollback() -> None:
    state = PeerState(None)
    state.cookie = "secret"

    state.rollback()

    assert state.cookie == "secret"


def test_a_cookie_that_is_too_long_to_ride_along_is_not_kept() -> None:
    state = PeerState(None)

    state.cookie = "c" * 2000

    assert state.cookie is None


def test_a_consumer_cannot_set_the_session_cookie() -> None:
    state = PeerState(None)
    state.values["_session"] = "somebody else's"

    with pytest.raises(TypeError, match="may not have the keys"):
        state.commit()


def count(message: Message) -> None:
    message.keep(count=message.state.get("count", 0) + 1)
    message.reply_channel.send({"text": str(message.state["count"])})
    if message.get("text") == "fail":
        raise ValueError


def test_state_rides_with_the_events_of_its_peer_only(make_site: MakeSite) -> None:
    site = make_site([route("websocket.receive", count)])
    ada, bob = ConsumerClient(site), ConsumerClient(site)

    for client in (ada, bob, ada):
        client.send("go")

    assert [reply["text"] for reply in ada.waiting] == ["1", "2"]
    assert [reply["text"] for reply in bob.waiting] == ["1"]
    assert ada.state == {"count": 2}


def test_a_consumer_that_raised_has_changed_no_state(make_site: MakeSite) -> None:
    site = make_site([route("websocket.receive", count)], raises=False)
    client = ConsumerClient(site)
    client.send("go")

    client.send("fail")
    client.send("go")

    assert client.state == {"count": 2}


def test_a_state_above_the_limit_is_the_consumers_failure(make_site: MakeSite) -> None:
    def hoard(message: Message) -> None:
        message.state["all"] = message.text

    client = ConsumerClient(make_site([route("websocket.receive", hoard)]))

    with pytest.raises(StateTooLarge):
        client.send("a" * 5000)

    assert client.receive() == {"close": 1011}
    assert client.state == {}
