"""Control flow: what a consumer raises to have something done in its place.

These are no errors: nothing is logged, and none of the consumer's own operations leave.

ControlFlow
├── DenyConnection    refuse a peer that wants to connect
├── CloseConnection   end a peer's connection
├── UnsupportedData   tell a peer that it sent what cannot be read
└── ConsumeLater      consume the message again, after those that wait
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from fairway.core.content import Content

__all__ = [
    "MAX_RETRIES",
    "CloseConnection",
    "ConsumeLater",
    "ControlFlow",
    "DenyConnection",
    "UnsupportedData",
]

MAX_RETRIES = 10
"""Times that one message may be put off by `ConsumeLater`; then it has failed."""

_LATE_EVENTS = (".receive", ".disconnect")


class ControlFlow(Exception):
    """The base of all that a consumer may raise on purpose."""

    def reply(self, channel: str, keys: Collection[str]) -> Content | None:
        """Return what the peer gets.

        Args:
            channel: the event's channel.
            keys: what the protocol's reply channels understand.
        """
        return None


class DenyConnection(ControlFlow):
    """Refuse a peer that wants to connect; a peer that is connected is closed.

    Args:
        status: HTTP status, where the protocol has one.
        content: what is shown to the refused client, where the protocol can.
        headers: pairs, or a mapping, of header names and values, likewise.
    """

    def __init__(
        self,
        status: int = 403,
        content: str | bytes = b"",
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    ) -> None:
        super().__init__(f"connection denied with status {status}")
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        self._refusal: Content = {
            "accept": False,
            "status": status,
            "content": content.encode() if isinstance(content, str) else content,
            "headers": [[name.encode(), value.encode()] for name, value in pairs],
        }

    def reply(self, channel: str, keys: Collection[str]) -> Content:
        """Return the refusal as far as the protocol can carry it."""
        if channel.endswith(_LATE_EVENTS):
            return {"close": True}
        return _carried(self._refusal, keys) or {"accept": False}


class CloseConnection(ControlFlow):
    """End the peer's connection.

    Args:
        code: close code, in the protocol's own numbers.
        reason: shown to the client where the protocol can.
    """

    def __init__(self, code: int = 1000, reason: str = "") -> None:
        super().__init__(f"connection closed with code {code}: {reason}")
        self._farewell: Content = {"close": code}
        if reason:
            self._farewell["reason"] = reason

    def reply(self, channel: str, keys: Collection[str]) -> Content:
        """Return the close."""
        return {**_carried(self._farewell, keys), "close": self._farewell["close"]}


class UnsupportedData(ControlFlow):
    """Tell the peer that it sent what cannot be read, such as text that is not UTF-8.

    WebSockets close with 1007 (RFC 6455, 7.4.1), HTTP answers 400.
    """

    def reply(self, channel: str, keys: Collection[str]) -> Content:
        """Return the protocol's way to say so."""
        return _carried({"status": 400, "close": 1007}, keys) or {"close": True}


class ConsumeLater(ControlFlow):
    """Put the message back behind those that wait, at most `MAX_RETRIES` times.

    The later events of the same peer wait with it, so their order stays.
    """


def _carried(content: Content, keys: Collection[str]) -> Content:
    return {key: value for key, value in content.items() if key in keys}
