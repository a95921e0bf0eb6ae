"""Content of messages: what may travel, and what is said about the rest."""

import datetime
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.content import decode_content, encode_content
from fairway.core.exceptions import MessageTooLarge

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
atoms = (
    st.binary(max_size=50)
    | text
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.none()
)
values = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4)
    ),
    max_leaves=20,
)
contents = st.dictionaries(text, values, max_size=6)


@given(contents)
def test_content_comes_out_as_it_went_in(content: dict[str, Any]) -> None:
    assert decode_content(encode_content(content)) == content


@given(contents)
def test_types_come_out_as_they_went_in(content: dict[str, Any]) -> None:
    decoded = decode_content(encode_content(content))

    assert repr(decoded) == repr(content)


def test_not_a_number_travels() -> None:
    assert math.isnan(decode_content(encode_content({"a": math.nan}))["a"])


def test_a_tuple_travels_as_a_list() -> None:
    assert decode_content(encode_content({"a": (1, (2,))})) == {"a": [1, [2]]}


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"a": {1, 2}}, "content['a'] is a set"),
        ({"a": {"b": [1, object()]}}, "content['a']['b'][1] is a object"),
        ({"a": [{"b": datetime.date.min}]}, "content['a'][0]['b'] is a date"),
        ({"a": 2**63}, "content['a'] is an int beyond 64 bit"),
        ({"a": [-(2**63) - 1]}, "content['a'][0] is an int beyond 64 bit"),
        ({1: "a"}, "content has the key 1"),
        ({"a": {b"b": 1}}, "content['a'] has the key b'b'"),
        ({"a": bytearray(b"x")}, "content['a'] is a bytearray"),
        ([], "content must be a dict, not list"),
        (None, "content must be a dict, not NoneType"),
        ({"a": "\ud800"}, "not Unicode"),
    ],
)
def test_what_may_not_travel_is_named_by_its_path(content: Any, path: str) -> None:
    with pytest.raises(TypeError) as caught:
        encode_content(content)

    assert path in str(caught.value)


def test_content_that_contains_itself_is_refused() -> None:
    content: dict[str, Any] = {}
    content["a"] = [content]

    with pytest.raises(TypeError, match="nested deeper than 32 levels"):
        encode_content(content)


def test_content_above_the_limit_is_refused_with_both_sizes() -> None:
    with pytest.raises(MessageTooLarge) as caught:
        encode_content({"a": b"x" * 100}, limit=50)

    assert (caught.value.size, caught.value.limit) == (105, 50)


def test_content_of_the_limit_is_taken() -> None:
    assert len(encode_content({"a": b"x" * 100}, limit=105)) == 105


@given(st.binary(max_size=200))
def test_any_bytes_are_content_or_a_value_error(encoded: bytes) -> None:
    try:
        decoded = decode_content(encoded)
    except ValueError:
        return

    assert isinstance(decoded, dict)


def test_bottomless_content_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="not encoded content"):
        decode_content(b"\x81\xa1a" + b"\x91" * 100_000)
