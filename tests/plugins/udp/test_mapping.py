"""Datagrams to events, and replies to datagrams: the tables of the protocol."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.kit import (
    Challenge,
    Content,
    Emit,
    Hangup,
    LocalProtocolError,
    Prove,
    RemoteProtocolError,
    Step,
    Write,
)
from fairway.plugins.udp.mapping import UdpMapping
from fairway.plugins.udp.spec import UdpConfig

COOKIE = b"abcdefghijklmnop"
LINE = b"prove " + COOKIE


def mapping(**section: Any) -> UdpMapping:
    return UdpMapping(UdpConfig(bind=["udp:1"], **section))


def event(data: bytes) -> Emit:
    return Emit("udp.receive", {"bytes": data})


@given(st.binary())
def test_any_datagram_is_one_event_with_its_bytes(data: bytes) -> None:
    assert mapping().received(data, 0.0) == (event(data),)
    assert mapping().unproved(data, 0.0) == (event(data),)


@given(st.binary())
def test_where_text_is_wanted_it_is_text_or_wrong(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        with pytest.raises(RemoteProtocolError):
            mapping(text=True).received(data, 0.0)
    else:
        steps = mapping(text=True).received(data, 0.0)
        assert steps == (Emit("udp.receive", {"text": text}),)


@pytest.mark.parametrize(
    ("reply", "steps"),
    [
        ({"text": "héllo"}, [Write("héllo".encode())]),
        ({"bytes": b"\x00"}, [Write(b"\x00")]),
        ({"bytes": b""}, [Write(b"")]),
        ({"text": ""}, [Write(b"")]),
        ({"text": None, "bytes": b"x"}, [Write(b"x")]),
        ({"bytes": bytes(65_507)}, [Write(bytes(65_507))]),
        ({"accept": True}, []),
        ({"accept": True, "text": "hi"}, [Write(b"hi")]),
        ({"accept": False}, [Hangup()]),
        ({"text": "bye", "close": True}, [Write(b"bye"), Hangup()]),
        ({"close": 1000}, [Hangup()]),
        ({"close": False}, []),
        ({}, []),
    ],
)
def test_a_reply_is_a_datagram(reply: Content, steps: list[Step]) -> None:
    assert list(mapping().reply(reply, 0.0)) == steps


@pytest.mark.parametrize(
    "reply",
    [
        {"text": "a", "bytes": b"a"},
        {"text": b"a"},
        {"bytes": "a"},
        {"bytes": bytes(65_508)},
        {"text": "é" * 32_754},
    ],
)
def test_what_does_not_fit_into_a_datagram_is_an_error(reply: Content) -> None:
    with pytest.raises(LocalProtocolError):
        mapping().reply(reply, 0.0)


@pytest.mark.parametrize(
    ("data", "steps"),
    [
        (b"", [Challenge(b"prove ", b"\n")]),
        (b"hello", [Challenge(b"prove ", b"\n")]),
        (b"prove", [Challenge(b"prove ", b"\n")]),
        (LINE[:-1], [Challenge(b"prove ", b"\n")]),
        (LINE + b"x", [Challenge(b"prove ", b"\n")]),
        (LINE, [Prove(COOKIE)]),
        (LINE + b"\n", [Prove(COOKIE)]),
        (LINE + b"\nhello\n", [Prove(COOKIE), event(b"hello\n")]),
    ],
)
def test_strangers_prove_themselves_where_they_must(
    data: bytes, steps: list[Step]
) -> None:
    assert list(mapping(challenge=True).unproved(data, 0.0)) == steps


@pytest.mark.parametrize(
    ("data", "steps"),
    [
        (b"hello", [event(b"hello")]),
        (b"", [event(b"")]),
        (LINE + b"\nhello", [event(b"hello")]),
        (LINE, []),
    ],
)
def test_a_proof_that_comes_twice_is_no_message(data: bytes, steps: list[Step]) -> None:
    assert list(mapping(challenge=True).received(data, 0.0)) == steps
