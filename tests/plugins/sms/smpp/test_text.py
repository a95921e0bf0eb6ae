"""Parts, alphabets and receipts of short messages, and PDUs in a stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.plugins.sms.provider import Status
from fairway.plugins.sms.smpp_pdu import Frames, address, make, number_of, read
from fairway.plugins.sms.smpp_text import (
    Part,
    Parts,
    decoded,
    parts_of,
    read_part,
    status_of,
)

NO_SAR = (None, None, None)
LINK = ("+46701234567", "+15005550006")


@given(text=st.text(max_size=1_500), reference=st.integers(0, 255))
def test_parts_say_the_text(text: str, reference: int) -> None:
    messages, coding, esm_class = parts_of(text, reference)
    parts = [read_part(message, esm_class, NO_SAR) for message in messages]

    assert decoded(b"".join(part.payload for part in parts), coding) == text
    # Each part by itself, too: no character is cut in two.
    assert "".join(decoded(part.payload, coding) or "" for part in parts) == text
    assert all(len(message) <= 160 for message in messages)


@given(payload=st.binary(max_size=160), esm_class=st.integers(0, 255))
def test_any_header_is_a_part_or_an_error(payload: bytes, esm_class: int) -> None:
    try:
        part = read_part(payload, esm_class, NO_SAR)
    except ValueError:
        return

    assert 1 <= part.number <= part.total <= 255
    assert payload.endswith(part.payload)


@given(payload=st.binary(), coding=st.integers(0, 255))
def test_any_message_is_text_or_none(payload: bytes, coding: int) -> None:
    text = decoded(payload, coding)

    assert text is None or isinstance(text, str)


@pytest.mark.parametrize(
    ("coding", "payload", "text"),
    [
        (0, b"\x00\x1b\x65", "@€"),
        (0, b"na\xefve", "naïve"),
        (1, b"plain", "plain"),
        (3, b"\xe9t\xe9", "été"),
        (6, b"\xbf", "П"),
        (8, "👍".encode("utf-16-be"), "👍"),
        (0x18, "Ж".encode("utf-16-be"), "Ж"),
        (0xF0, b"\x00", "@"),
        (0xF5, b"\x00", None),
        (4, b"\x00", None),
    ],
)
def test_data_coding_names_the_alphabet(
    coding: int, payload: bytes, text: str | None
) -> None:
    assert decoded(payload, coding) == text


@pytest.mark.parametrize(
    ("text", "message_id", "state", "expected"),
    [
        (b"id:a1 stat:DELIVRD err:000", "", None, ("a1", "delivered", "")),
        (b"ID:a1 STAT:expired ERR:12", "", None, ("a1", "undelivered", "12")),
        (b"id:a1 stat:REJECTD", "b2", None, ("b2", "failed", "")),
        (b"", "b2", 2, ("b2", "delivered", "")),
        (b"id:a1 stat:ACCEPTD", "", None, ("a1", "sent", "")),
        (b"id:a1 stat:UNKNOWN", "", None, None),
        (b"stat:DELIVRD", "", None, None),
        (b"\xff\x00", "", None, None),
    ],
)
def test_receipts_are_read(
    text: bytes, message_id: str, state: int | None, expected: tuple[str, ...] | None
) -> None:
    status = status_of(text, to="+1", message_id=message_id, state=state)

    if expected is None:
        assert status is None
    else:
        name, said, code = expected
        assert status == Status(id=name, to="+1", status=said, code=code)


def test_a_message_that_stays_incomplete_is_handed_on_after_a_minute() -> None:
    parts = Parts()
    parts.add(LINK, Part(payload=b"two", reference=1, number=2, total=3), 0, 0.0)
    parts.add(LINK, Part(payload=b"one", reference=1, number=1, total=3), 0, 50.0)

    assert parts.overdue(59.0) is None
    assert parts.overdue(60.0) == (LINK, "onetwo")
    assert parts.overdue(1_000.0) is None


def test_parts_are_bounded_in_their_number() -> None:
    parts = Parts()
    handed_on = 0
    for reference in range(3_000):
        part = Part(payload=b"x", reference=reference, number=1, total=2)
        parts.add(LINK, part, 0, 0.0)
        while parts.overdue(0.0) is not None:
            handed_on += 1

    assert handed_on == 1_000


def test_parts_of_others_are_kept_apart() -> None:
    parts = Parts()
    one = Part(payload=b"a", reference=7, number=1, total=2)
    two = Part(payload=b"b", reference=7, number=2, total=2)
    parts.add(LINK, one, 0, 0.0)
    parts.add(("+1", LINK[1]), two, 0, 0.0)

    assert parts.complete(LINK, one) is None
    parts.add(LINK, two, 0, 0.0)
    assert parts.complete(LINK, two) == "ab"
    parts.forget(LINK, two)
    assert parts.complete(LINK, two) is None


@given(cuts=st.lists(st.integers(1, 40), min_size=1))
def test_pdus_do_not_depend_on_how_the_stream_was_cut(cuts: list[int]) -> None:
    sent = [make("enquire_link", 1), make("generic_nack", 2, status=3)] * 3
    stream = b"".join(sent)
    frames = Frames()
    got: list[bytes] = []
    at = 0
    while at < len(stream):
        size = cuts[len(got) % len(cuts)]
        got += frames.feed(stream[at : at + size])
        at += size

    assert got == sent


@given(body=st.binary(max_size=80), command=st.sampled_from([0x05, 0x80000004, 0x99]))
def test_any_pdu_is_read_or_an_error(body: bytes, command: int) -> None:
    head = (16 + len(body)).to_bytes(4) + command.to_bytes(4) + bytes(4)
    try:
        sequence = read(head + b"\x00\x00\x00\x09" + body).sequence
    except ValueError as error:
        sequence = vars(error)["sequence"]

    assert sequence == 9


@pytest.mark.parametrize("length", [0, 15, 1 << 20, 0xFFFF_FFFF])
def test_an_impossible_length_ends_the_stream(length: int) -> None:
    with pytest.raises(ValueError, match="bytes"):
        Frames().feed(length.to_bytes(4) + bytes(12))


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (b"46701234567", 1, "+46701234567"),
        (b"46701234567", 0, "+46701234567"),
        (b"0701234567", 0, "0701234567"),
        (b"72404", 0, "72404"),
        (b"72404", 3, "72404"),
        (b"Harbour", 5, "Harbour"),
    ],
)
def test_numbers_are_international_when_they_say_so(
    text: bytes, kind: int, expected: str
) -> None:
    assert number_of(text, kind) == expected


@given(digits=st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True))
def test_a_number_comes_back_as_it_went(digits: str) -> None:
    kind, _, plain = address(f"+{digits}")

    assert number_of(plain.encode(), kind) == f"+{digits}"
