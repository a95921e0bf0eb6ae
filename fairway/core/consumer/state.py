"""A peer's state: a small dict that rides with its events and belongs to its host.

It is sent back only when it changed, and a consumer that raised has changed nothing.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from fairway.core.content import Content, Encoded, decode_content, encode_content
from fairway.core.exceptions import MessageTooLarge, StateTooLarge

__all__ = ["STATE_LIMIT", "PeerState"]

STATE_LIMIT = 4096
"""Bytes of a peer's encoded state."""

# Beside the site's values, fairway keeps some of its own; consumers do not see them.
_COOKIE = "_session"
_CHANNEL_SESSION = "_channel_session"
_OWN = frozenset({_COOKIE, _CHANNEL_SESSION})
_MAX_COOKIE = 1024
"""Characters of a session cookie that is kept; one with all its data in it may be
longer, and is then known to the first event only."""
_EMPTY = encode_content({})


class PeerState(Struct, eq=False):
    """The state of one peer while the events of one record are consumed."""

    came: Encoded | None
    """Encoded as it came, None for a peer without state."""
    is_open: bool = False
    """Whether anybody looked at the values, and may have changed them."""
    _committed: Encoded | None = None
    _values: Content = {}
    _own: Content = {}

    @property
    def values(self) -> Content:
        """What consumers see and change."""
        if not self.is_open:
            self._values = decode_content(self.encoded())
            self._own = {
                key: self._values.pop(key) for key in _OWN & self._values.keys()
            }
            self.is_open = True
        return self._values

    @property
    def cookie(self) -> str | None:
        """The site's session cookie that came with the peer's first event."""
        cookie: str | None = self._read_own(_COOKIE)
        return cookie

    @cookie.setter
    def cookie(self, value: str | None) -> None:
        if value and len(value) <= _MAX_COOKIE:
            self._write_own(_COOKIE, value)

    @property
    def has_channel_session(self) -> bool:
        """Whether a session was saved for the peer, to be deleted when it leaves."""
        return bool(self._read_own(_CHANNEL_SESSION))

    @has_channel_session.setter
    def has_channel_session(self, value: bool) -> None:
        self._write_own(_CHANNEL_SESSION, value)

    def commit(self) -> None:
        """Keep the changes of a consumer that ended.

        Raises:
            StateTooLarge: they are above `STATE_LIMIT`.
            TypeError: a value may not travel, or a key is one of fairway's own.
        """
        if not self.is_open:
            return
        if not _OWN.isdisjoint(self._values):
            raise TypeError(f"message.state may not have the keys {sorted(_OWN)}")
        try:
            self._committed = encode_content({**self._values, **self._own}, STATE_LIMIT)
        except MessageTooLarge as error:
            raise StateTooLarge(error.size, error.limit) from None

    def rollback(self) -> None:
        """Forget the changes of a consumer that raised."""
        self.is_open = False

    def changed(self) -> Encoded | None:
        """Return the committed state when it is not the one that came."""
        committed = self._committed
        if committed is None or committed == (self.came or _EMPTY):
            return None
        return committed

    def encoded(self) -> Encoded:
        """Return the committed state."""
        return self._committed or self.came or _EMPTY

    def _read_own(self, key: str) -> Any:
        return self._own.get(key) if self.values is not None else None

    def _write_own(self, key: str, value: object) -> None:
        if self._read_own(key) != value:
            self._own[key] = value
            self.commit()
