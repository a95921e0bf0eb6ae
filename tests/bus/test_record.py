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
    READABLE,
    VERSION,
    Answer,
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
SENT = 1_700_000_000.0
LIFE = 0.5
DEADLINE = SENT + LIFE
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
    (Kind.ANSWER, Answer("me", Raw(HI), 7, SEEN)),
    (Kind.ANSWER, Answer("me", Raw(HI), 7, None)),
]
FIRST_VERSION: list[tuple[Kind, Body]] = [
    (Kind.EVENT, Event(Raw(SEEN), [Raw(HI)], 0, None)),
    (Kind.CANARY, Canary(42)),
]
WRITTEN = [(VERSION, *each) for each in VECTORS] + [
    (1, *each) for each in FIRST_VERSION
]

CANARY = pack(Kind.CANARY, Canary(1), SENT, life=LIFE)

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
    st.builds(
        lambda a, b, c, d: (Kind.ANSWER, Answer(a, Raw(b), c, d)),
        small,
        raws,
        orders,
        states,
    ),
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
    """Return the records of the page's tables, without spaces."""
    rows = re.findall(r"^\| `[A-Z]+` .*\| `([0-9a-f ]+)` \|$", PAGE.read_text(), re.M)
    return [row.replace(" ", "") for row in rows]


@pytest.mark.parametrize("index", range(len(WRITTEN)))
def test_a_record_is_written_as_documented(index: int) -> None:
    version, kind, body = WRITTEN[index]

    record = pack(kind, body, SENT, life=LIFE, version=version)

    assert record.hex() == documented()[index]


@pytest.mark.parametrize("index", range(len(WRITTEN)))
def test_a_documented_record_is_read(index: int) -> None:
    version, kind, body = WRITTEN[index]

    read_kind, read_body, deadline, sent = unpack(bytes.fromhex(documented()[index]))

    assert (read_kind, deadline) == (kind, DEADLINE)
    assert sent == (None if version == 1 else SENT)
    assert plain(read_body) == plain(body)


def test_every_documented_record_is_tested() -> None:
    assert len(documented()) == len(WRITTEN)
    assert {kind for kind, _ in VECTORS} == set(Kind)
    assert {version for version, *_ in WRITTEN} == READABLE


@given(bodies, st.integers(0, 2**43), st.sampled_from(sorted(READABLE)))
def test_a_record_comes_out_as_it_went_in(
    what: tuple[Kind, Body], milliseconds: int, version: int
) -> None:
    kind, body = what
    sent = milliseconds / 1000

    record = pack(kind, body, sent, life=LIFE, version=version)
    read_kind, read_body, deadline, read_sent = unpack(record)

    assert read_kind is kind
    assert plain(read_body) == plain(body)
    assert deadline == peek_deadline(record)
    assert deadline == pytest.approx(sent + LIFE, rel=0, abs=0.0011)
    assert read_sent is None or read_sent == pytest.approx(sent, rel=0, abs=0.0011)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_record_or_a_record_error(record: bytes) -> None:
    try:
        unpack(record)
    except RecordError:
        return

    assert record[0] in READABLE


@given(bodies, st.data())
def test_a_record_that_was_cut_is_a_record_error(
    what: tuple[Kind, Body], data: st.DataObject
) -> None:
    record = pack(*what, SENT, life=LIFE)
    cut = record[: data.draw(st.integers(0, len(record) - 1))]

    with pytest.raises(RecordError):
        unpack(cut)


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        (9, 'set FAIRWAY["BUS_VERSION"] to 2 in the newer processes'),
        (0, "replace the process that sent it"),
    ],
)
def test_an_unknown_version_is_named_with_what_to_do(version: int, advice: str) -> None:
    record = bytes((version,)) + CANARY[1:]

    with pytest.raises(RecordError) as caught:
        unpack(record)

    assert caught.value.version == version
    assert f"record version {version} is of" in str(caught.value)
    assert advice in str(caught.value)


def test_an_unknown_kind_is_named() -> None:
    record = CANARY[:1] + b"\x63" + CANARY[2:]

    with pytest.raises(RecordError, match="record kind 99"):
        unpack(record)


def test_a_body_of_another_kind_is_named() -> None:
    record = pack(Kind.CANARY, Membership("a", "b"), SENT, life=LIFE)

    with pytest.raises(RecordError, match="the body of a CANARY record"):
        unpack(record)


def test_a_bottomless_body_is_a_record_error() -> None:
    header = CANARY[:1] + bytes((Kind.MESSAGE,)) + CANARY[2:-2]

    with pytest.raises(RecordError):
        unpack(header + b"\x92\xa0" + b"\x91" * 100_000)


def test_fields_that_a_later_version_appends_are_ignored() -> None:
    record = CANARY[:-2] + msgspec.msgpack.encode([1, "more"])

    assert unpack(record)[1] == Canary(1)


def test_a_time_before_the_epoch_is_the_epoch() -> None:
    *_, deadline, sent = unpack(pack(Kind.CANARY, Canary(1), -5.0, life=1.0))

    assert (deadline, sent) == (0.0, 0.0)
