"""Both frame engines see the same in the same bytes, wherever these were cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.plugins.websocket.engine import load_engine
from fairway.plugins.websocket.events import Failed
from tests.support.examples import examples

from .wire import deflated, frame

LIMIT = 300
TEXTS = [b"", b"abc", "\u20ac\U0001f600".encode(), b"\xe2\x82", b"\xff", bytes(126)]
PAYLOADS = st.sampled_from(TEXTS) | st.binary(max_size=20)
OPCODES = st.sampled_from([0, 0, 1, 1, 2, 2, 8, 9, 10, 3, 11, 15])


Seen = list[Any]


def reader(name: str, deflate: bool) -> Callable[[bytes], Seen]:
    """Return what reads bytes and says what it saw; of a failure the code, no words."""
    engine = load_engine(name)(LIMIT, deflate)

    def read(data: bytes) -> Seen:
        return [
            ("failed", event.code) if isinstance(event, Failed) else event
            for event in engine.received(data)
        ]

    return read


def seen(name: str, deflate: bool, *chunks: bytes) -> Seen:
    """Return all that a new engine sees."""
    read = reader(name, deflate)
    return [event for chunk in chunks for event in read(chunk)]


def sequences(payloads: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return frames in a row: most follow the rules, some break one."""
    usual = st.builds(frame, OPCODES, payloads, fin=st.booleans())
    odd = st.builds(
        frame,
        OPCODES,
        payloads,
        fin=st.booleans(),
        rsv=st.integers(0, 7),
        mask=st.none() | st.binary(min_size=4, max_size=4),
    )
    compressed = st.builds(
        frame, st.sampled_from([1, 2]), payloads.map(deflated), rsv=st.just(4)
    )
    # A length of 16 or of 64 bits, as short as it may be or not.
    long = st.builds(
        lambda first, size, wide: (
            bytes((first, 0xFF if wide else 0xFE))
            + size.to_bytes(8 if wide else 2)
            + bytes(4)
        ),
        st.sampled_from([0x82, 0x02, 0x80, 0x89]),
        st.sampled_from([0, 125, 126, 300, 301, 65_535]),
        st.booleans(),
    )
    return st.lists(usual | usual | odd | compressed | long, max_size=4).map(b"".join)


@settings(max_examples=examples(60))
@given(sequences(PAYLOADS) | st.binary(max_size=60), st.booleans())
def test_engines_agree_wherever_bytes_are_cut(data: bytes, deflate: bool) -> None:
    expected = seen("autobahn", deflate, data)

    for cut in range(len(data) + 1):
        assert seen("lean", deflate, data[:cut], data[cut:]) == expected


@settings(max_examples=examples(60))
@given(sequences(PAYLOADS), st.booleans())
def test_engines_agree_after_each_byte(data: bytes, deflate: bool) -> None:
    lean, autobahn = reader("lean", deflate), reader("autobahn", deflate)

    for i in range(len(data)):
        assert lean(data[i : i + 1]) == autobahn(data[i : i + 1])


@pytest.mark.standard
def test_engines_agree_on_all_close_codes() -> None:
    for code in range(65_536):
        data = frame(8, code.to_bytes(2))
        assert seen("lean", False, data) == seen("autobahn", False, data)
