"""What the mapping wants done: the transport does it, in this order, nothing else."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from fairway.kit import Content, Hangup, MountPoint, RequestHead, Write

__all__ = [
    "Abort",
    "Dispatch",
    "End",
    "EndBody",
    "Feed",
    "Fetch",
    "Flush",
    "Hold",
    "HttpStep",
    "Leave",
    "Linger",
    "Open",
    "Send",
    "Store",
    "Switch",
    "Skipped",
    "Unreadable",
]


class Dispatch(Struct, frozen=True):
    """Make the request a peer and emit its first event."""

    head: RequestHead
    channel: str
    content: Content


class Leave(Struct, frozen=True, gc=False):
    """Emit the last event of the request's peer."""

    channel: str


class Send(Struct, frozen=True):
    """Put content on a channel that a consumer reads."""

    channel: str
    content: Content


class End(Struct, frozen=True, gc=False):
    """The request is over: close its peer, forget its body, write the access log."""

    method: str
    path: bytes
    """As it stood on the wire."""
    status: int
    """499 when the client left before there was one."""
    seconds: float
    client: str
    request_id: str = ""
    """What a trusted proxy calls it."""


class Open(Struct, frozen=True):
    """Hand the request to a mount."""

    point: MountPoint
    head: RequestHead


class Feed(Struct, frozen=True, gc=False):
    """Give a part of the body to the mount."""

    data: bytes


class EndBody(Struct, frozen=True, gc=False):
    """Tell the mount that the body is complete, or why it never will be."""

    failure: str = ""


class Switch(Struct, frozen=True, gc=False):
    """Hand the connection to the mount; these bytes came already."""

    rest: bytes


class Store(Struct, frozen=True, gc=False):
    """Append to the request's body on disk."""

    data: bytes


class Flush(Struct, frozen=True, gc=False):
    """Say when the body is on disk."""


class Fetch(Struct, frozen=True, gc=False):
    """Read the next part of the body from disk."""

    size: int


class Hold(Struct, frozen=True, gc=False):
    """Stop or resume reading from the connection."""

    reading: bool


class Abort(Struct, frozen=True, gc=False):
    """Cut the connection; nothing that waits is sent."""

    reason: str


class Skipped(Struct, frozen=True, gc=False):
    """Count header fields that were left out of a request."""

    count: int


class Unreadable(Struct, frozen=True, gc=False):
    """Count a request that cannot be read; it is answered with the status."""

    status: int


class Linger(Struct, frozen=True, gc=False):
    """Tell the client that nothing follows; it may read while it still sends."""


HttpStep: TypeAlias = (
    Abort
    | Dispatch
    | End
    | EndBody
    | Feed
    | Fetch
    | Flush
    | Hangup
    | Hold
    | Leave
    | Linger
    | Open
    | Send
    | Store
    | Switch
    | Skipped
    | Unreadable
    | Write
)
