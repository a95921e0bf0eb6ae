"""Records as processes of version 1 read and write them: the module of that time.

A record is a header of ten bytes and a body:

    version (1 byte) · kind (1 byte) · deadline (8 bytes, big endian, milliseconds of
    the bus's clock) · body (a MessagePack array, see the class of each kind)
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TypeAlias

import msgspec
from msgspec import Raw, Struct

__all__ = [
    "HEADER_SIZE",
    "READABLE",
    "VERSION",
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
    "RecordError",
    "pack",
    "peek_deadline",
    "unpack",
]

VERSION = 1
READABLE = frozenset({1})
HEADER_SIZE = 10

_HEADER = struct.Struct(">BBQ")
_DEADLINE = struct.Struct(">Q")
_encode = msgspec.msgpack.Encoder().encode


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


Body: TypeAlias = (
    Message | Event | GroupMessage | Membership | Done | Busy | Lost | Forward | Canary
)

_DECODERS: dict[int, msgspec.msgpack.Decoder[Body]] = {
    kind: msgspec.msgpack.Decoder(body)
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
    }.items()
}
_KINDS: dict[int, Kind] = {int(kind): kind for kind in Kind}


def pack(kind: Kind, body: Body, deadline: float) -> bytes:
    """Write a record.

    Args:
        deadline: seconds of the bus's clock.
    """
    header = _HEADER.pack(VERSION, kind, max(0, int(deadline * 1000)))
    return header + _encode(body)


def unpack(record: bytes) -> tuple[Kind, Body, float]:
    """Read a record: its kind, its body, its deadline in seconds of the bus's clock.

    Raises:
        RecordError: it is none, or of an unknown version or kind.
    """
    if len(record) <= HEADER_SIZE:
        raise RecordError(f"a record has more than {HEADER_SIZE} bytes")
    version, number, deadline = _HEADER.unpack_from(record)
    if version not in READABLE:
        raise RecordError(f"record version {version} is not readable here", version)
    kind = _KINDS.get(number)
    if kind is None:
        raise RecordError(f"record kind {number} is unknown", version)
    try:
        body = _DECODERS[number].decode(memoryview(record)[HEADER_SIZE:])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RecordError(f"the body of a {kind.name} record: {error}") from error
    return kind, body, deadline / 1000


def peek_deadline(record: bytes) -> float:
    """Return a record's deadline in seconds of the bus's clock, without the rest."""
    (deadline,) = _DEADLINE.unpack_from(record, 2)
    return float(deadline) / 1000
