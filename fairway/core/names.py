"""Names of channels and groups: their alphabet, their parts, their escape.

A channel is `name`, `mailbox!local` (one client of one process) or `name?local`
(a channel with a single reader). Groups have neither `!` nor `?`.
"""

from __future__ import annotations

import re
from functools import lru_cache

from fairway.core.exceptions import InvalidName

__all__ = [
    "MAX_NAME_LENGTH",
    "SHARED",
    "check_channel",
    "check_group",
    "decode_local",
    "encode_local",
    "is_shared",
    "local_of",
    "mailbox_of",
    "owner_of",
    "shared_channel",
    "stem_of",
]

MAX_NAME_LENGTH = 199
SHARED = "shared."
"""What the names of mailboxes begin with that belong to no process: whichever holds the
lease of the moment reads them."""

_CHANNEL = re.compile(r"[A-Za-z0-9._-]+(?:[!?][A-Za-z0-9._-]+)?")
_GROUP = re.compile(r"[A-Za-z0-9._-]+")
_FORBIDDEN_IN_CHANNEL = re.compile(r"[^A-Za-z0-9._\-!?]")
_FORBIDDEN_IN_GROUP = re.compile(r"[^A-Za-z0-9._-]")
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")


def check_channel(name: str) -> str:
    """Return `name` when it is a channel's name.

    Raises:
        InvalidName: naming the offending character.
    """
    # Channels of one reader come and go; only what stands left of the mark repeats.
    if type(name) is str and len(name) <= MAX_NAME_LENGTH:
        stem, _, local = name.partition("!" if "!" in name else "?")
        if local.isalnum() and local.isascii() and _is_plain(stem):
            return name
    return _check_any_channel(name)


@lru_cache(maxsize=1024)
def _is_plain(name: str) -> bool:
    return _GROUP.fullmatch(name) is not None


# Names repeat (one per route or group), so the answer is kept.
@lru_cache(maxsize=4_096)
def _check_any_channel(name: str) -> str:
    _check_length(name)
    if _CHANNEL.fullmatch(name):
        return name
    if wrong := _FORBIDDEN_IN_CHANNEL.search(name):
        raise _wrong_character(name, wrong.start())
    marks = [index for index, character in enumerate(name) if character in "!?"]
    if len(marks) > 1:
        reason = f"only one '!' or '?' may stand in it, not again at {marks[1]}"
        raise InvalidName(name, reason, position=marks[1])
    raise InvalidName(
        name,
        f"{name[marks[0]]!r} needs a part before and after it",
        position=marks[0],
    )


@lru_cache(maxsize=4_096)
def check_group(name: str) -> str:
    """Return `name` when it is a group's name.

    Raises:
        InvalidName: naming the offending character.
    """
    _check_length(name)
    if wrong := _FORBIDDEN_IN_GROUP.search(name):
        raise _wrong_character(name, wrong.start())
    return name


def mailbox_of(channel: str) -> str:
    """Return what stands left of `!`, or an empty string for another channel."""
    mailbox, mark, _ = channel.partition("!")
    return mailbox if mark else ""


def is_shared(mailbox: str) -> bool:
    """Return whether a mailbox, or a channel of it, belongs to no single process."""
    return mailbox.startswith(SHARED)


def owner_of(channel: str) -> str:
    """Return the mailbox of the process that keeps a channel's memberships.

    An empty string for a channel that stands for itself in a group: a normal one, or
    one of a shared mailbox.
    """
    return "" if is_shared(channel) else mailbox_of(channel)


def shared_channel(protocol: str, key: str) -> str:
    """Return the reply channel of a shared peer, such as a phone number."""
    return f"{SHARED}{protocol}!{encode_local(key)}"


def local_of(channel: str) -> str:
    """Return what stands right of `!` or `?`, or an empty string."""
    _, mark, local = channel.partition("!" if "!" in channel else "?")
    return local if mark else ""


def stem_of(channel: str) -> str:
    """Return a name up to its `!` or `?`, which the channels of one reader share."""
    return channel.removesuffix(local_of(channel))


def encode_local(text: str) -> str:
    """Write any text as a local part: percent-encoding with `_` as the escape."""
    return "".join(
        chr(byte) if byte in _PLAIN else f"_{byte:02X}"
        for byte in text.encode("utf-8", "surrogatepass")
    )


def decode_local(local: str) -> str:
    """Read what `encode_local` wrote.

    Raises:
        InvalidName: it is no such local part.
    """
    if wrong := _FORBIDDEN_IN_GROUP.search(local):
        raise _wrong_character(local, wrong.start())
    raw = bytearray()
    index = 0
    while index < len(local):
        if local[index] != "_":
            raw.append(ord(local[index]))
            index += 1
            continue
        digits = local[index + 1 : index + 3]
        if not re.fullmatch(r"[0-9A-F]{2}", digits):
            raise InvalidName(local, "an escape is incomplete", position=index)
        raw.append(int(digits, 16))
        index += 3
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise InvalidName(local, "its escapes are no text") from None


def _check_length(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"a name must be str, not {type(name).__name__}")
    if not name or len(name) > MAX_NAME_LENGTH:
        raise InvalidName(
            name, f"it must have 1 to {MAX_NAME_LENGTH} characters, not {len(name)}"
        )


def _wrong_character(name: str, position: int) -> InvalidName:
    return InvalidName(
        name,
        f"character {name[position]!r} at {position} is not allowed "
        "(letters, digits, '.', '_' and '-' are)",
        position=position,
    )
