"""Datagrams and content, both ways. Pure.

An address proves itself with a line in front of a datagram, `prove ` and the cookie
that it was sent in such a line; what follows the line is its datagram.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairway.kit import (
    Challenge,
    Content,
    Cookies,
    DatagramMapping,
    DatagramStep,
    Emit,
    Hangup,
    LocalProtocolError,
    Prove,
    RemoteProtocolError,
    Step,
    Write,
)
from fairway.plugins.udp.spec import UdpConfig

__all__ = ["UdpMapping"]

_PROVE = b"prove "
_END = b"\n"
_LARGEST = 65_507
_COOKIE = slice(len(_PROVE), len(_PROVE) + Cookies.size)


class UdpMapping(DatagramMapping[UdpConfig]):
    """One datagram is one event, one reply is one datagram."""

    def received(self, data: bytes, now: float) -> Sequence[Step]:
        """Make an event of a datagram."""
        if self.config.challenge and _cookie_of(data) is not None:
            # Its sender did not hear yet that it has proved itself.
            return self._proved(data)
        return (self._event(data),)

    def unproved(self, data: bytes, now: float) -> Sequence[DatagramStep]:
        """Ask for a proof where the settings say so."""
        if not self.config.challenge:
            return (self._event(data),)
        cookie = _cookie_of(data)
        if cookie is None:
            return (Challenge(_PROVE, _END),)
        return (Prove(cookie), *self._proved(data))

    def reply(self, content: Content, now: float) -> Sequence[Step]:
        """Make a datagram of a reply; a key whose value is None counts as absent."""
        data = content.get("bytes")
        if len(content) == 1 and type(data) is bytes and len(data) <= _LARGEST:
            return (Write(data),)  # what nearly all replies are
        given = {key: value for key, value in content.items() if value is not None}
        steps: list[Step] = []
        if (data := _data_of(given)) is not None:
            steps.append(Write(data))
        if given.get("accept") is False or given.get("close", False) is not False:
            steps.append(Hangup())
        return steps

    def left(self, now: float) -> Sequence[Step]:
        """Tell the consumers that a sender has gone."""
        return (Emit("udp.disconnect", {}),)

    def _proved(self, data: bytes) -> Sequence[Step]:
        rest = data[_COOKIE.stop + len(_END) :]
        return (self._event(rest),) if rest else ()

    def _event(self, data: bytes) -> Emit:
        if not self.config.text:
            return Emit("udp.receive", {"bytes": data})
        try:
            return Emit("udp.receive", {"text": data.decode()})
        except UnicodeDecodeError:
            raise RemoteProtocolError("a datagram that is not UTF-8") from None


def _cookie_of(data: bytes) -> bytes | None:
    """Return the cookie in the first line of a datagram, None when there is none."""
    cookie = data[_COOKIE]
    end = data[_COOKIE.stop :]
    if not data.startswith(_PROVE) or len(cookie) < Cookies.size:
        return None
    return cookie if not end or end.startswith(_END) else None


def _data_of(given: Content) -> bytes | None:
    text, data = given.get("text"), given.get("bytes")
    if text is not None and data is not None:
        raise LocalProtocolError("a datagram is 'text' or 'bytes', not both")
    if not isinstance(text, str | None) or not isinstance(data, bytes | None):
        raise LocalProtocolError("'text' must be str and 'bytes' must be bytes")
    if text is not None:
        data = text.encode()
    if data is not None and len(data) > _LARGEST:
        raise LocalProtocolError(f"{len(data)} bytes do not fit into one datagram")
    return data
