"""Tokens: which conversation, at which interface server, and a proof of it.

`<door of the server>!<conversation>!<tag>`. The tag is 128 bits of an HMAC with the
site's key over the rest, so every server of the site can check it, without a word to
any other, before a request costs more than that.
"""

from __future__ import annotations

import hmac

from msgspec import Struct

from fairway.kit import Secret

__all__ = ["Address", "is_same", "issue", "session_of", "verify"]

_TAG_DIGITS = 32
_LONGEST = 300


class Address(Struct, frozen=True):
    """Where a conversation is."""

    door: str
    """The reply channel by which its interface server is reached."""
    session: str


def issue(address: Address, key: Secret) -> str:
    """Return the token of a conversation."""
    text = f"{address.door}!{address.session}"
    return f"{text}!{_tag(text, key)}"


def verify(token: str, key: Secret) -> Address | None:
    """Return what a token stands for, None when this site did not issue it."""
    if len(token) > _LONGEST or not token.isascii():
        return None
    text, _, tag = token.rpartition("!")
    if not hmac.compare_digest(tag, _tag(text, key)):
        return None
    door, _, session = text.rpartition("!")
    return Address(door, session)


def session_of(token: str) -> str:
    """Return the conversation that a token names; that alone proves nothing."""
    return token.rpartition("!")[0].rpartition("!")[2]


def is_same(token: str, known: str) -> bool:
    """Return whether a token is the one that was issued, in a time that tells nothing.

    It proves as much as `verify` and costs far less.
    """
    return token.isascii() and hmac.compare_digest(token, known)


def _tag(text: str, key: Secret) -> str:
    secret = b"fairway.longpoll" + key.reveal().encode()
    return hmac.digest(secret, text.encode(), "sha256").hex()[:_TAG_DIGITS]
