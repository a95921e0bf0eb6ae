"""Records: the form in which operations wait on the bus.

A record is a header and a body:

    version (1 byte) · kind (1 byte) · deadline (8 bytes, big endian, milliseconds of
    the bus's clock) · since version 2: when it was sent (8 bytes, like the deadline) ·
    body (a MessagePack array, see the class of each kind)

`docs/reference/bus.md` documents the format with test vectors. A process reads the
versions in `READABLE` and writes the one that the setting `BUS_VERSION` names, so that
old and new processes can serve a site together; `docs/how-to/deploy.md` says how.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import IntEnum
from typing import TypeAlias

import msgspec
from msgspec import Raw, Struct

__all__ = [
    "READABLE",
    "VERSION",
    "Answer",
    "Body",
    "Busy",
    "Canary",
    "Done",
    "Event",
    "Forward",
    "GroupMessage",
    "Kind",
    "Lost",
    "Membership",
    "Message",
    "Record",
    "RecordError",
    "pack",
    "pack_body",
    "pack_header",
    "peek_deadline",
    "unpack",
]

VERSION = 2
"""What a process writes unless `BUS_VERSION` says otherwise.

A version becomes the default one release after the first that reads it.
"""
READABLE = frozenset({1, 2})

# All versions begin alike: the scripts on Redis read kind and deadline of any record.
_START = struct.Struct(">BBQ")
_HEADER = struct.Struct(">BBQQ")
_DEADLINE = struct.Struct(">Q")
_START_SIZE, _HEADER_SIZE = _START.size, _HEADER.size
_SENT_SINCE = 2
_COPIED = 4096
"""Bytes up to which copying a body costs less than looking at it in its place."""


class RecordError(ValueError):
    """These bytes are no record, or one of a version nobody here reads.

    Attributes:
        version: the record's version byte, None when there is none.
    """

    def __init__(self, reason: str, version: int | None = None) -> None:
        self.version = version
        super().__init__(reason)


class Kind(IntEnum):
    """What a record is; one byte on the bus."""

    __hash__ = int.__hash__  # an enumeration's own hashes the name, in Python

    MESSAGE = 1
    EVENT = 2
    GROUP = 3
    ADD = 4
    DISCARD = 5
    DONE = 6
    BUSY = 7
    LOST = 8
    FORWARD = 9
    CANARY = 10
    ANSWER = 11


class Message(Struct, array_like=True, frozen=True, gc=False):
    """MESSAGE: content for a channel."""

    local: str
    """The local part of the reply channel in a mailbox, empty elsewhere."""
    content: Raw


class Event(Struct, array_like=True, frozen=True):
    """EVENT: what one peer did, one after another, since its last record.

    Whoever takes it owes the peer's mailbox a `Done`, or a `Lost`.
    """

    envelope: Raw
    """Content that all events of the record share."""
    events: list[Raw]
    """The content of each event without the envelope."""
    order: int
    """The `order` of the last event."""
    state: bytes | None
    """The peer's state as encoded content, None when it has none."""


class GroupMessage(Struct, array_like=True, frozen=True):
    """GROUP: content for all members of a group behind this mailbox."""

    group: str
    content: Raw
    exclude: list[str]
    """Reply channels that do not get it."""


class Membership(Struct, array_like=True, frozen=True, gc=False):
    """ADD and DISCARD: a local part of this mailbox joined or left a group."""

    group: str
    local: str


class Done(Struct, array_like=True, frozen=True, gc=False):
    """DONE: the events up to `order` of a peer were consumed."""

    local: str
    order: int
    state: bytes | None
    """The peer's new state as encoded content, None when it did not change."""


class Busy(Struct, array_like=True, frozen=True, gc=False):
    """BUSY: the events up to `order` of a peer are still being consumed."""

    local: str
    order: int


class Lost(Struct, array_like=True, frozen=True, gc=False):
    """LOST: the events up to `order` of a peer will not be consumed."""

    local: str
    order: int


class Forward(Struct, array_like=True, frozen=True, gc=False):
    """FORWARD: content from one process of a protocol to the peer's owner."""

    local: str
    content: Raw


class Canary(Struct, array_like=True, frozen=True, gc=False):
    """CANARY: a message of a process to itself, to see that its mailbox works."""

    token: int


class Answer(Struct, array_like=True, frozen=True, gc=False):
    """ANSWER: a MESSAGE and then a DONE for one peer; since version 2."""

    local: str
    content: Raw
    order: int
    state: bytes | None
    """The peer's new state as encoded content, None when it did not change."""


Body: TypeAlias = (
    Message
    | Event
    | GroupMessage
    | Membership
    | Done
    | Busy
    | Lost
    | Forward
    | Canary
    | Answer
)

_DECODE: dict[int, Callable[[bytes | memoryview], Body]] = {
    kind: msgspec.msgpack.Decoder(body).decode
    for kind, body in {
        Kind.MESSAGE: Message,
        Kind.EVENT: Event,
        Kind.GROUP: GroupMessage,
        Kind.ADD: Membership,
        Kind.DISCARD: Membership,
        Kind.DONE: Done,
        Kind.BUSY: Busy,
        Kind.LOST: Lost,
        Kind.FORWARD: Forward,
        Kind.CANARY: Canary,
        Kind.ANSWER: Answer,
    }.items()
}
_KINDS: dict[int, Kind] = {int(kind): kind for kind in Kind}


Record: TypeAlias = tuple[Kind, Body, float, float | None]
"""What was read: kind, body, deadline, and when it was put on its queue, None when its
version does not say; times are seconds of the bus's clock."""

pack_body: Callable[[Body], bytes] = msgspec.msgpack.Encoder().encode
"""Writes what stands behind a record's header."""


def pack(
    kind: Kind, body: Body, sent: float, *, life: float, version: int = VERSION
) -> bytes:
    """Write a record.

    Args:
        sent: this moment, in seconds of the bus's clock.
        life: seconds until nobody wants it any more.
        version: one of `READABLE`.
    """
    return pack_header(kind, sent, life=life, version=version) + pack_body(body)


def pack_header(kind: Kind, sent: float, *, life: float, version: int) -> bytes:
    """Write what stands in front of a record's body; arguments are those of `pack`."""
    deadline = max(0, int((sent + life) * 1000))
    if version < _SENT_SINCE:
        return _START.pack(version, kind, deadline)
    return _HEADER.pack(version, kind, deadline, max(0, int(sent * 1000)))


def unpack(record: bytes) -> Record:
    """Read a record.

    Raises:
        RecordError: it is none, or of an unknown version or kind.
    """
    size = len(record)
    if size <= _START_SIZE:
        raise RecordError(f"a record has more than {_START_SIZE} bytes")
    version = record[0]
    if version not in READABLE:
        raise RecordError(_explain(version), version)
    sent = None
    if version < _SENT_SINCE:
        start = _START_SIZE
        _, number, deadline = _START.unpack_from(record)
    else:
        start = _HEADER_SIZE
        if size <= start:
            raise RecordError(f"this record has more than {start} bytes", version)
        _, number, deadline, milliseconds = _HEADER.unpack_from(record)
        sent = milliseconds / 1000
    kind = _KINDS.get(number)
    if kind is None:
        raise RecordError(f"record kind {number} is unknown", version)
    try:
        rest = record if size <= _COPIED else memoryview(record)
        body = _DECODE[number](rest[start:])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RecordError(f"the body of a {kind.name} record: {error}") from error
    return kind, body, deadline / 1000, sent


def _explain(version: int) -> str:
    if version > max(READABLE):
        return (
            f"record version {version} is of a newer fairway than this process: until "
            f'it is replaced, set FAIRWAY["BUS_VERSION"] to {max(READABLE)} in the '
            "newer processes"
        )
    return (
        f"record version {version} is of an older fairway than this process can read: "
        "replace the process that sent it"
    )


def peek_deadline(record: bytes) -> float:
    """Return a record's deadline in seconds of the bus's clock, without the rest."""
    (deadline,) = _DEADLINE.unpack_from(record, 2)
    return float(deadline) / 1000
