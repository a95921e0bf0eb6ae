"""What a channel layer carries out, and what may become of it."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from fairway.core.content import Encoded

__all__ = [
    "ACCEPTED",
    "CONTROL_EXPIRY",
    "REPLY_LOST",
    "Answer",
    "Busy",
    "Canary",
    "Done",
    "Forward",
    "GroupAdd",
    "GroupDiscard",
    "GroupSend",
    "Lost",
    "Operation",
    "Outcome",
    "Send",
    "channel_of",
]

REPLY_LOST = -1
"""In place of an `order`, see `Lost`."""
CONTROL_EXPIRY = 60.0
"""Seconds that records which are no messages (joins, ends of events) may wait."""


class Outcome(Enum):
    """What became of one operation."""

    ACCEPTED = "accepted"
    """It was carried out."""
    FULL = "full"
    """The channel holds as much as it may; nothing was written."""
    UNAVAILABLE = "unavailable"
    """The layer cannot be reached; never written, may be tried again."""
    UNKNOWN = "unknown"
    """Written without an answer; counts as done, must not be repeated."""


ACCEPTED = Outcome.ACCEPTED
"""The same for hot paths: before Python 3.12 it takes longer to look up a member of an
enumeration than to call a function."""


class Send(Struct, frozen=True, gc=False):
    """Put content on a channel."""

    channel: str
    content: Encoded
    expiry: float | None = None
    """Seconds until nobody wants it any more; None takes the channel's own."""
    events: tuple[Encoded, ...] | None = None
    """Content of one peer's events in order; `content` is then what they share.
    Whoever takes such a record owes a `Done` or a `Lost`."""
    order: int = 0
    """The `order` of the last of `events`."""
    state: Encoded | None = None
    """The peer's state, with `events` only."""


class GroupSend(Struct, frozen=True):
    """Put content on every channel of a group; skips members that are full."""

    group: str
    content: Encoded
    exclude: tuple[str, ...] = ()
    """Channels that do not get it."""
    expiry: float | None = None


class GroupAdd(Struct, frozen=True, gc=False):
    """Make a channel a member of a group, or renew its membership."""

    group: str
    channel: str


class GroupDiscard(Struct, frozen=True, gc=False):
    """End a channel's membership of a group; silent when it is no member."""

    group: str
    channel: str


class Done(Struct, frozen=True, gc=False):
    """Tell a peer's owner that its events up to `order` were consumed."""

    reply_channel: str
    order: int
    state: Encoded | None = None
    """The peer's new state, None when it did not change."""


class Answer(Struct, frozen=True, gc=False):
    """Put content on a reply channel and tell its owner what a `Done` tells, in one.

    It is a message: where that is FULL or expires, nothing of it is told. Records of
    version 1 have no place for it, see `LayerPolicy.answers`.
    """

    reply_channel: str
    content: Encoded
    order: int
    state: Encoded | None = None
    expiry: float | None = None
    """Seconds until nobody wants it any more; None takes the channel's own."""


class Busy(Struct, frozen=True, gc=False):
    """Tell a peer's owner that its events up to `order` are still being consumed."""

    reply_channel: str
    order: int


class Lost(Struct, frozen=True, gc=False):
    """Tell a peer's owner that its events up to `order` will not be consumed."""

    reply_channel: str
    order: int
    """`REPLY_LOST`: nothing of events, but a reply to the peer could not be sent, so
    that it must not go on as if it had got all."""


class Forward(Struct, frozen=True, gc=False):
    """Hand content to the protocol that owns a reply channel."""

    reply_channel: str
    content: Encoded


class Canary(Struct, frozen=True, gc=False):
    """A mailbox's message to itself, which proves that it still gets its messages."""

    mailbox: str
    token: int


Operation: TypeAlias = (
    Send
    | GroupSend
    | GroupAdd
    | GroupDiscard
    | Done
    | Answer
    | Busy
    | Lost
    | Forward
    | Canary
)


def channel_of(operation: Operation) -> str:
    """Return the channel or group an operation is about, for errors and logs."""
    match operation:
        case Send(channel=channel):
            return channel
        case GroupSend(group=group) | GroupAdd(group=group) | GroupDiscard(group=group):
            return group
        case Canary(mailbox=mailbox):
            return mailbox
        case _:
            return operation.reply_channel
