"""The forms of the wire: the vectors of the page that describes them, and any."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.kit import RemoteProtocolError, Secret
from fairway.plugins.longpoll import tokens, wire
from fairway.plugins.longpoll.outbox import Outbox
from fairway.plugins.longpoll.waits import Waits

PAGE = Path(__file__).parents[3] / "docs/reference/longpoll.md"

MESSAGES: list[tuple[dict[str, Any], str]] = [
    ({"text": "hello"}, '"hello"'),
    ({"text": ""}, '""'),
    ({"text": "\r\n\0"}, r'"\r\n\u0000"'),
    ({"bytes": b"\x00\xff"}, '{"bytes":"AP8="}'),
    ({"bytes": b""}, '{"bytes":""}'),
]
A, BYTES = wire.message({"text": "a"}), wire.message({"bytes": b"\x00\xff"})
RESTARTING = wire.Close(1012, "restarting")


@pytest.mark.parametrize(("content", "text"), MESSAGES)
def test_a_message_is_what_the_page_says(content: dict[str, Any], text: str) -> None:
    assert wire.message(content).decode() == text
    assert f"`{text}`" in PAGE.read_text()

    (read,) = wire.read_post(b'{"messages":[%b]}' % text.encode(), 1).messages
    got = {"bytes": read.data} if isinstance(read, wire.Bytes) else {"text": read}
    assert got == content


@pytest.mark.parametrize(
    "built",
    [
        wire.poll_answer(1, [], None),
        wire.poll_answer(3, [A, BYTES], None),
        wire.poll_answer(1, [], RESTARTING),
    ],
)
def test_an_answer_is_what_the_page_says(built: bytes) -> None:
    assert f"| `{built.decode()}` |" in PAGE.read_text()


def test_a_stream_is_what_the_page_says() -> None:
    stream = wire.BEAT + wire.event(3, A) + wire.close_event(wire.Close())

    shown = re.search(r"```text\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    assert shown is not None
    assert stream.decode().rstrip("\n") == shown[1]


@given(st.one_of(st.text(), st.binary()))
def test_no_message_adds_a_line_to_a_stream(value: str | bytes) -> None:
    content = {"text" if isinstance(value, str) else "bytes": value}

    event = wire.event(7, wire.message(content))

    assert not set(event) & set(b"\r\0")
    fields = event.decode().split("\n")
    assert [field.partition(":")[0] for field in fields] == ["id", "data", "", ""]
    assert json.loads(fields[1].removeprefix("data: ")) == (
        value if isinstance(value, str) else json.loads(wire.message(content))
    )


@given(st.binary())
def test_any_body_is_read_or_refused(body: bytes) -> None:
    with suppress(RemoteProtocolError):
        wire.read_post(body, 10)


def test_a_token_is_good_for_its_address_and_key_only() -> None:
    address = tokens.Address("interface.0a!1b", "2c")
    token = tokens.issue(address, Secret("key"))

    assert tokens.verify(token, Secret("key")) == address
    assert tokens.session_of(token) == address.session
    assert tokens.is_same(token, token)
    assert tokens.verify(token, Secret("other")) is None
    for at in range(len(token)):
        changed = token[:at] + chr(ord(token[at]) ^ 1) + token[at + 1 :]
        assert tokens.verify(changed, Secret("key")) is None
        assert not tokens.is_same(changed, token)


def test_an_outbox_gives_again_what_was_not_acknowledged() -> None:
    outbox = Outbox()
    for item in (b"a", b"b", b"c"):
        outbox.add(item)

    assert outbox.take(0) == outbox.take(0) == [b"a", b"b", b"c"]
    outbox.drop(2)
    assert outbox.take(2) == [b"c"]
    assert not outbox.knows(1)
    assert (len(outbox), outbox.size, outbox.last) == (1, 1, 3)


def test_an_outbox_is_trimmed_of_what_was_handed_out_only() -> None:
    outbox = Outbox()
    for item in (b"a", b"b"):
        outbox.add(item)
    outbox.take(0)
    outbox.add(b"c")
    outbox.add(b"d")

    outbox.trim(0, 100)

    assert outbox.take(2) == [b"c", b"d"]


def test_who_waits_longest_is_first() -> None:
    waits: Waits[str] = Waits(10.0)
    for now, one in enumerate("abcd"):
        waits.begin(one, now)
    waits.begin("a", 4)
    waits.end("c")

    assert waits.over(10.9) == []
    assert waits.over(13) == ["b", "d"]
    assert waits.over(14) == ["a"]
    assert len(waits) == 0
