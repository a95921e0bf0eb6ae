"""Content of messages: which values may travel, and how they are encoded.

The encoding is MessagePack. Content is encoded once, by its sender, and travels as
bytes; nothing in it can be executed when it is read.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from fairway.core.exceptions import MessageTooLarge

__all__ = [
    "DEFAULT_MAX_CONTENT",
    "STATE",
    "Content",
    "Encoded",
    "Value",
    "decode_content",
    "encode_content",
    "encode_own",
]

Value: TypeAlias = (
    "bytes | str | int | float | bool | list[Value] | dict[str, Value] | None"
)
Content: TypeAlias = dict[str, Any]
"""A message's content: str keys, values as `Value` describes them."""
Encoded: TypeAlias = bytes
"""Content as it travels."""

DEFAULT_MAX_CONTENT = 1024 * 1024
"""Bytes of encoded content that may travel, unless `MAX_CONTENT` says otherwise."""

STATE = "_state"
"""Key of an event under which the state of its peer rides, encoded, where events are
not ordered; consumers do not see it."""

_Path: TypeAlias = "tuple[_Path, str | int] | None"
# Where a value stands: made into text only for an error.
_ATOMS = frozenset({bytes, str, float, bool, type(None)})
_INT64 = range(-(2**63), 2**63)
_MAX_DEPTH = 32
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, Any]).decode


def encode_content(
    content: Content,
    limit: int = DEFAULT_MAX_CONTENT,
    *,
    shared: Content | None = None,
) -> Encoded:
    """Check and encode content.

    Tuples are written as lists.

    Args:
        limit: bytes that the encoded content may have.
        shared: is encoded with it and counts for nothing; made by fairway, so that it
            needs no check. Where both have a key, content's value wins.

    Raises:
        TypeError: a key or value may not travel; names its path.
        MessageTooLarge: it is above `limit`.
    """
    if type(content) is not dict:
        raise TypeError(f"content must be a dict, not {type(content).__name__}")
    _check_dict(content, None, 0)
    return encode_own(content, limit, shared=shared)


def encode_own(
    content: Content,
    limit: int = DEFAULT_MAX_CONTENT,
    *,
    shared: Content | None = None,
) -> Encoded:
    """Encode content that its sender has made of nothing but values that may travel.

    A look at all of it costs several times what encoding it does. The arguments are
    those of `encode_content`.

    Raises:
        TypeError: a value cannot be encoded.
        MessageTooLarge: it is above `limit`.
    """
    try:
        encoded = _encode(content if shared is None else shared | content)
        size = len(encoded)
        if size > limit and shared is not None:
            size = len(_encode(content))
    except UnicodeEncodeError as error:
        raise TypeError(f"content holds text that is not Unicode: {error}") from error
    if size > limit:
        raise MessageTooLarge(size, limit)
    return encoded


def decode_content(encoded: Encoded | msgspec.Raw) -> Content:
    """Read what `encode_content` wrote.

    Raises:
        ValueError: these bytes are no content.
    """
    try:
        return _decode(encoded)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"not encoded content: {error}") from error


def _check_dict(values: dict[Any, Any], path: _Path, depth: int) -> None:
    for key, value in values.items():
        if type(key) is not str:
            raise TypeError(f"{_shown(path)} has the key {key!r}; keys must be str")
        kind = type(value)
        if kind not in _ATOMS and not (kind is int and value in _INT64):
            _check_value(value, (path, key), depth)


def _check_value(value: object, path: _Path, depth: int) -> None:
    kind = type(value)
    if kind is int:
        if value not in _INT64:
            raise TypeError(f"{_shown(path)} is an int beyond 64 bit")
    elif kind is not dict and kind is not list and kind is not tuple:
        raise TypeError(
            f"{_shown(path)} is a {kind.__name__}; only bytes, str, int, float, bool, "
            "None, list and dict may travel"
        )
    elif depth >= _MAX_DEPTH:
        raise TypeError(f"{_shown(path)} is nested deeper than {_MAX_DEPTH} levels")
    elif isinstance(value, dict):
        _check_dict(value, path, depth + 1)
    elif isinstance(value, (list, tuple)):
        # Headers are lists of two: only what is more gets a closer look.
        shallow = depth + 1 < _MAX_DEPTH
        for index, item in enumerate(value):
            kind = type(item)
            if kind in _ATOMS or (
                shallow and kind is list and _ATOMS.issuperset(map(type, item))
            ):
                continue
            _check_value(item, (path, index), depth + 1)


def _shown(path: _Path) -> str:
    if path is None:
        return "content"
    outer, key = path
    return f"{_shown(outer)}[{key!r}]"
