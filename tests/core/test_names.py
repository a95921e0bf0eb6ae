"""Names of channels and groups."""

import string
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.exceptions import InvalidName
from fairway.core.names import (
    MAX_NAME_LENGTH,
    check_channel,
    check_group,
    decode_local,
    encode_local,
    local_of,
    mailbox_of,
    stem_of,
)

ALPHABET = string.ascii_letters + string.digits + "._-"
parts = st.text(ALPHABET, min_size=1, max_size=99)


@given(parts, st.sampled_from("!?"), parts)
def test_a_name_may_have_one_mark_between_two_parts(
    left: str, mark: str, right: str
) -> None:
    name = f"{left}{mark}{right}"

    assert check_channel(name) == name
    assert local_of(name) == right
    assert mailbox_of(name) == (left if mark == "!" else "")


@given(parts)
def test_a_name_of_the_alphabet_is_a_channel_and_a_group(name: str) -> None:
    assert check_channel(name) == check_group(name) == name
    assert (mailbox_of(name), local_of(name)) == ("", "")


@given(parts, st.characters().filter(lambda each: each not in ALPHABET + "!?"), parts)
def test_another_character_is_named_with_its_place(
    left: str, wrong: str, right: str
) -> None:
    name = f"{left}{wrong}{right}"

    for check in (check_channel, check_group):
        with pytest.raises(InvalidName) as caught:
            check(name)

        assert caught.value.position == len(left)
        assert repr(wrong) in str(caught.value)


@pytest.mark.parametrize("name", ["a!", "?a", "a!b!c", "a?b!c", "!", "!1", "a!?"])
def test_marks_stand_alone_between_parts(name: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check_channel(name)

    assert caught.value.position is not None


@pytest.mark.parametrize("mark", "!?")
def test_a_group_has_no_mark(mark: str) -> None:
    with pytest.raises(InvalidName, match="is not allowed") as caught:
        check_group(f"ab{mark}c")

    assert caught.value.position == 2


@pytest.mark.parametrize("check", [check_channel, check_group])
def test_a_name_is_shorter_than_two_hundred_characters(check: object) -> None:
    assert callable(check)
    assert check("c" * MAX_NAME_LENGTH) == "c" * 199
    for name in ("", "c" * 200):
        with pytest.raises(InvalidName, match="1 to 199 characters"):
            check(name)


def test_a_name_is_text() -> None:
    with pytest.raises(TypeError, match="must be str, not bytes"):
        check_channel(b"in")  # type: ignore[arg-type]


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_any_text_can_be_a_local_part(text: str) -> None:
    local = encode_local(text)

    assert decode_local(local) == text
    assert set(local) <= set(ALPHABET)


@given(st.text(max_size=10), st.text(max_size=10))
def test_different_texts_have_different_local_parts(one: str, other: str) -> None:
    assert (encode_local(one) == encode_local(other)) == (one == other)


@given(st.text(max_size=20))
def test_what_is_no_local_part_is_refused_by_name(text: str) -> None:
    try:
        decoded = decode_local(text)
    except InvalidName:
        return

    assert isinstance(decoded, str)


@pytest.mark.parametrize("local", ["_", "_F", "_ff", "_FF", "é", "a!b"])
def test_a_broken_escape_is_refused(local: str) -> None:
    with pytest.raises(InvalidName):
        decode_local(local)


def test_channels_of_one_reader_share_a_stem() -> None:
    assert stem_of("interface.abc!def") == "interface.abc!"
    assert stem_of("http.credit?def") == "http.credit?"
    assert stem_of("chat.receive") == "chat.receive"


@pytest.mark.parametrize("mark", "!?")
def test_names_of_clients_that_come_and_go_are_not_kept(mark: str) -> None:
    check_channel(f"http.credit{mark}abc")
    tracemalloc.start()

    for number in range(3_000):
        check_channel(f"http.credit{mark}{number}")

    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 20_000
