"""Segments: the 7-bit alphabet, how many a text is, and where it is cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.plugins.sms import segments

GSM = "".join(
    character for character in map(chr, range(0x20AD)) if segments.is_gsm(character)
)
gsm_texts = st.text(st.sampled_from(GSM), max_size=700)
texts = st.one_of(
    gsm_texts, st.text(st.sampled_from("aé€漢字😀👩‍🚀\n"), max_size=400), st.text()
)


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def room(part: str, *, gsm: bool, single: bool) -> bool:
    if gsm:
        return len(segments.encode_septets(part)) <= (160 if single else 153)
    return units(part) <= (70 if single else 67)


def test_the_alphabet_has_127_characters_and_ten_more_behind_an_escape() -> None:
    short = [c for c in GSM if len(segments.encode_septets(c)) == 1]

    assert len(short) == 127
    assert sorted(set(GSM) - set(short)) == sorted("\f^{}\\[~]|€")


@pytest.mark.parametrize(
    ("character", "septets"),
    [
        ("@", b"\x00"),
        ("\n", b"\x0a"),
        ("Δ", b"\x10"),
        ("É", b"\x1f"),
        ("a", b"a"),
        ("¿", b"\x60"),
        ("à", b"\x7f"),
        ("€", b"\x1b\x65"),
        ("[", b"\x1b\x3c"),
    ],
)
def test_a_character_has_its_code(character: str, septets: bytes) -> None:
    assert segments.encode_septets(character) == septets


@given(gsm_texts)
def test_what_was_encoded_is_decoded(text: str) -> None:
    assert segments.decode_septets(segments.encode_septets(text)) == text


@given(st.binary(max_size=200))
def test_any_bytes_are_a_text_or_an_error(data: bytes) -> None:
    if any(byte > 0x7F for byte in data):
        with pytest.raises(ValueError, match="no septet"):
            segments.decode_septets(data)
    else:
        assert len(segments.decode_septets(data)) <= len(data)


def test_what_is_not_in_the_alphabet_is_named() -> None:
    with pytest.raises(ValueError, match="'漢'"):
        segments.encode_septets("a漢")


@given(texts)
def test_segments_are_the_text_and_as_few_as_possible(text: str) -> None:
    parts = segments.split(text)
    gsm = segments.is_gsm(text)
    single = len(parts) == 1

    assert "".join(parts) == text
    assert segments.count(text) == len(parts)
    assert all(room(part, gsm=gsm, single=single) for part in parts)
    assert single or not room(text, gsm=gsm, single=True)
    for part, following in itertools.pairwise(parts):
        assert not room(part + following[0], gsm=gsm, single=False)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 152, 3),  # the escape moves to the second segment
        ("漢" * 70, 1),
        ("漢" * 71, 2),
        ("漢" * 134, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 67, 3),  # 33 in a segment of 67 units
    ],
)
def test_a_text_has_so_many_segments(text: str, count: int) -> None:
    assert segments.count(text) == count


@given(texts, st.sampled_from([160, 320, 500, 1_600]))
def test_messages_are_the_text_within_what_a_vendor_takes(
    text: str, longest: int
) -> None:
    pieces = segments.cut(text, longest)

    assert "".join(pieces) == text
    assert all(units(piece) <= longest for piece in pieces)
    assert len(pieces) == 1 or units(text) > longest
