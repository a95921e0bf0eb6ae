"""Records: the vectors of docs/reference/bus.md, and what is no record."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from fairway.core.bus.record import (
    HEADER_SIZE,
    Body,
    Busy,
    Canary,
    Done,
    Event,
    Forward,
    GroupMessage,
    Kind,
    Lost,
    Membership,
    Message,
    RecordError,
    pack,
    peek_deadline,
    unpack,
)
from fairway.core.content import encode_content

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "bus.md"
DEADLINE = 1_700_000_000.5
HI = encode_content({"text": "hi"})
SEEN = encode_content({"seen": 1})

VECTORS: list[tuple[Kind, Body]] = [
    (Kind.MESSAGE, Message("", Raw(HI))),
    (Kind.MESSAGE, Message("me", Raw(HI))),
    (Kind.EVENT, Event(Raw(SEEN), [Raw(HI), Raw(HI)], 7, SEEN)),
    (Kind.EVENT, Event(Raw(SEEN), [Raw(HI)], 0, None)),
    (Kind.GROUP, GroupMessage("room", Raw(HI), ["box!me"])),
    (Kind.ADD, Membership("room", "me")),
    (Kind.DISCARD, Membership("room", "me")),
    (Kind.DONE, Done("me", 7, SEEN)),
    (Kind.DONE, Done("me", 7, None)),
    (Kind.BUSY, Busy("me", 7)),
    (Kind.LOST, Lost("me", 7)),
    (Kind.FORWARD, Forward("me", Raw(HI))),
    (Kind.CANARY, Canary(42)),
]

small = st.text(max_size=10)
orders = st.integers(0, 2**63 - 1)
raws = st.dictionaries(
    small, st.integers(-5, 5) | st.binary(max_size=5), max_size=3
).map(encode_content)
states = st.none() | raws
bodies: st.SearchStrategy[tuple[Kind, Body]] = st.one_of(
    st.builds(lambda a, b: (Kind.MESSAGE, Message(a, Raw(b))), small, raws),
    st.builds(
        lambda a, b, c, d: (Kind.EVENT, Event(Raw(a), [*map(Raw, b)], c, d)),
        raws,
        st.lists(raws, max_size=3),
        orders,
        states,
    ),
    st.builds(
        lambda a, b, c: (Kind.GROUP, GroupMessage(a, Raw(b), c)),
        small,
        raws,
        st.lists(small, max_size=3),
    ),
    st.builds(lambda a, b: (Kind.ADD, Membership(a, b)), small, small),
    st.builds(lambda a, b: (Kind.DISCARD, Membership(a, b)), small, small),
    st.builds(lambda a, b, c: (Kind.DONE, Done(a, b, c)), small, orders, states),
    st.builds(lambda a, b: (Kind.BUSY, Busy(a, b)), small, orders),
    st.builds(lambda a, b: (Kind.LOST, Lost(a, b)), small, orders),
    st.builds(lambda a, b: (Kind.FORWARD, Forward(a, Raw(b))), small, raws),
    st.builds(lambda a: (Kind.CANARY, Canary(a)), orders),
)


def plain(body: Body) -> Any:
    """Return a body as values that can be compared."""
    fields = msgspec.structs.astuple(body)
    return type(body), _plain(fields)


def _plain(value: Any) -> Any:
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


def documented() -> list[str]:
    """Return the records of the page's table, without spaces."""
    rows = re.findall(r"^\| `[A-Z]+` .*\| `([0-9a-f ]+)` \|$", PAGE.read_text(), re.M)
    return [row.replace(" ", "") for row in rows]


@pytest.mark.parametrize("index", range(len(VECTORS)))
def test_a_record_is_written_as_documented(index: int) -> None:
    kind, body = VECTORS[index]

    assert pack(kind, body, DEADLINE).hex() == documented()[index]


@pytest.mark.parametrize("index", range(len(VECTORS)))
def test_a_documented_record_is_read(index: int) -> None:
    kind, body = VECTORS[index]

    read_kind, read_body, deadline = unpack(bytes.fromhex(documented()[index]))

    assert (read_kind, deadline) == (kind, DEADLINE)
    assert plain(read_body) == plain(body)


def test_every_documented_record_is_tested() -> None:
    assert len(documented()) == len(VECTORS)
    assert {kind for kind, _ in VECTORS} == set(Kind)


@given(bodies, st.integers(0, 2**43))
def test_a_record_comes_out_as_it_went_in(
    what: tuple[Kind, Body], milliseconds: int
) -> None:
    kind, body = what

    record = pack(kind, body, milliseconds / 1000)
    read_kind, read_body, deadline = unpack(record)

    assert read_kind is kind
    assert plain(read_body) == plain(body)
    assert deadline == peek_deadline(record)
    assert deadline == pytest.approx(milliseconds / 1000, rel=0, abs=0.0011)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_record_or_a_record_error(record: bytes) -> None:
    try:
        unpack(record)
    except RecordError:
        return

    assert len(record) > HEADER_SIZE


@given(bodies, st.data())
def test_a_record_that_was_cut_is_a_record_error(
    what: tuple[Kind, Body], data: st.DataObject
) -> None:
    record = pack(*what, DEADLINE)
    cut = record[: data.draw(st.integers(0, len(record) - 1))]

    with pytest.raises(RecordError):
        unpack(cut)


def test_an_unknown_version_is_named() -> None:
    record = b"\x09" + pack(Kind.CANARY, Canary(1), DEADLINE)[1:]

    with pytest.raises(RecordError, match="record version 9") as caught:
        unpack(record)

    assert caught.value.version == 9


def test_an_unknown_kind_is_named() -> None:
    record = b"\x01\x63" + pack(Kind.CANARY, Canary(1), DEADLINE)[2:]

    with pytest.raises(RecordError, match="record kind 99"):
        unpack(record)


def test_a_body_of_another_kind_is_named() -> None:
    record = pack(Kind.CANARY, Membership("a", "b"), DEADLINE)

    with pytest.raises(RecordError, match="the body of a CANARY record"):
        unpack(record)


def test_a_bottomless_body_is_a_record_error() -> None:
    header = pack(Kind.MESSAGE, Message("", Raw(HI)), DEADLINE)[:HEADER_SIZE]

    with pytest.raises(RecordError):
        unpack(header + b"\x92\xa0" + b"\x91" * 100_000)


def test_fields_that_a_later_version_appends_are_ignored() -> None:
    header = pack(Kind.BUSY, Busy("me", 7), DEADLINE)[:HEADER_SIZE]

    _, body, _ = unpack(header + msgspec.msgpack.encode(["me", 7, "more"]))

    assert body == Busy("me", 7)


def test_a_deadline_before_the_epoch_is_the_epoch() -> None:
    assert peek_deadline(pack(Kind.CANARY, Canary(1), -5.0)) == 0.0
