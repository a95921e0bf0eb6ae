"""What happens on a WebSocket, and what can be done to one, as values."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from fairway.kit import Emit, Hangup, Headers, RequestHead

__all__ = [
    "Abort",
    "Accept",
    "BytesReceived",
    "Close",
    "CloseReceived",
    "Deny",
    "EndSending",
    "Failed",
    "Log",
    "Lost",
    "PingReceived",
    "PongReceived",
    "Report",
    "Requested",
    "SendBytes",
    "SendPing",
    "SendPong",
    "SendText",
    "Step",
    "TextReceived",
    "WireEvent",
]


class Requested(Struct, frozen=True):
    """A client asks for a WebSocket."""

    head: RequestHead


class TextReceived(Struct, frozen=True, gc=False):
    """A whole text message arrived."""

    text: str


class BytesReceived(Struct, frozen=True, gc=False):
    """A whole binary message arrived."""

    data: bytes


class PingReceived(Struct, frozen=True, gc=False):
    """A ping arrived."""

    payload: bytes


class PongReceived(Struct, frozen=True, gc=False):
    """A pong arrived, asked for or not."""

    payload: bytes


class CloseReceived(Struct, frozen=True, gc=False):
    """A close frame arrived; the last event but `Lost`."""

    code: int | None
    """None when the frame was empty."""
    reason: str


class Failed(Struct, frozen=True, gc=False):
    """The client broke the protocol; what it sends later cannot be read."""

    code: int
    """The close code that says so: 1002, 1007 or 1009."""
    reason: str


class Lost(Struct, frozen=True, gc=False):
    """The connection is gone."""

    reason: str


WireEvent: TypeAlias = (
    Requested
    | TextReceived
    | BytesReceived
    | PingReceived
    | PongReceived
    | CloseReceived
    | Failed
    | Lost
)


class Accept(Struct, frozen=True):
    """Step: answer 101, from here on the connection carries frames."""

    headers: Headers
    deflate: int
    """Window bits of permessage-deflate, 0 when it is not in use."""


class Deny(Struct, frozen=True):
    """Step: answer the handshake with a plain HTTP response."""

    status: int
    headers: Headers
    body: bytes


class SendText(Struct, frozen=True, gc=False):
    """Step: send a text message."""

    text: str


class SendBytes(Struct, frozen=True, gc=False):
    """Step: send a binary message."""

    data: bytes


class SendPing(Struct, frozen=True, gc=False):
    """Step: send an empty ping."""


class SendPong(Struct, frozen=True, gc=False):
    """Step: answer a ping."""

    payload: bytes


class Close(Struct, frozen=True, gc=False):
    """Step: send a close frame."""

    code: int | None
    """None for an empty frame."""
    reason: str = ""


class EndSending(Struct, frozen=True, gc=False):
    """Step: tell the client, behind the last frame, that nothing follows."""


class Abort(Struct, frozen=True, gc=False):
    """Step: cut the connection, whatever is queued."""


class Log(Struct, frozen=True, gc=False):
    """Step: write a line about the connection to the access log."""

    what: Literal["CONNECT", "ACCEPT", "REFUSE", "DISCONNECT"]
    status: int | None = None
    """HTTP status or close code."""


class Report(Struct, frozen=True, gc=False):
    """Step: count and log something of this client that was dropped."""

    reason: str
    detail: str


Step: TypeAlias = (
    Emit
    | Accept
    | Deny
    | SendText
    | SendBytes
    | SendPing
    | SendPong
    | Close
    | EndSending
    | Hangup
    | Abort
    | Log
    | Report
)
