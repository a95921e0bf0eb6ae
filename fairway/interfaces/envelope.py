"""The envelope of events: what the host adds, so that no two plugins disagree."""

from __future__ import annotations

from typing import Any

import msgspec

from fairway.core.content import STATE, Encoded
from fairway.core.plugin.web import RequestHead
from fairway.interfaces.peers import LocalPeer

__all__ = ["envelope_of", "envelope_without_peer", "join", "with_state"]

_encode = msgspec.msgpack.Encoder().encode

_FIXMAP, _MAP16, _MAP32 = 0x80, 0xDE, 0xDF
_SHORT = [bytes((_FIXMAP | count,)) for count in range(16)]


def envelope_of(peer: LocalPeer, protocol: str) -> Encoded:
    """Return the envelope of a peer's next event, which then counts as left."""
    if peer.fresh:
        peer.fresh = False
        fields = _fields(peer, protocol)
        if peer.head is not None:
            fields |= _head_fields(peer.head)
            peer.head = None
        elif peer.order is None:
            # Without a connection nobody else says that somebody is new.
            fields["first"] = True
        return _encode(fields)
    if not peer.envelope:
        peer.envelope = _encode(_fields(peer, protocol))
    return peer.envelope


def with_state(encoded: Encoded, state: Encoded) -> Encoded:
    """Return an event's content with the state of its peer, for the worker."""
    return join(encoded, _encode({STATE: state}))


def envelope_without_peer(protocol: str) -> Encoded:
    """Return the envelope of an event that nobody can answer."""
    return _encode({"protocol": protocol})


def join(first: Encoded, second: Encoded) -> Encoded:
    """Make one encoded map of two; the second one's keys win when it is read.

    Spares decoding content that was encoded and checked already.
    """
    count = (first[0] ^ _FIXMAP) + (second[0] ^ _FIXMAP)
    if count < 16:  # so it is for nearly all events
        return _SHORT[count] + first[1:] + second[1:]
    first_count, first_start = _count(first)
    second_count, second_start = _count(second)
    count = first_count + second_count
    if count < 16:
        head = _SHORT[count]
    elif count < 65_536:
        head = bytes((_MAP16,)) + count.to_bytes(2, "big")
    else:
        head = bytes((_MAP32,)) + count.to_bytes(4, "big")
    return b"".join((head, first[first_start:], second[second_start:]))


def _count(encoded: Encoded) -> tuple[int, int]:
    """Return how many keys a MessagePack map has, and where they begin."""
    kind = encoded[0]
    if kind == _MAP16:
        return int.from_bytes(encoded[1:3], "big"), 3
    if kind == _MAP32:
        return int.from_bytes(encoded[1:5], "big"), 5
    return kind & 0x0F, 1


def _fields(peer: LocalPeer, protocol: str) -> dict[str, Any]:
    fields = {
        "reply_channel": peer.reply_channel,
        "peer": peer.id,
        "protocol": protocol,
        "client": peer.client,
    }
    if peer.path is not None:
        fields["path"] = peer.path
    if peer.request_id:
        fields["request_id"] = peer.request_id
    return fields


def _head_fields(head: RequestHead) -> dict[str, Any]:
    return {
        "query_string": head.query_string,
        "headers": head.headers,
        "scheme": head.scheme,
        "server": head.server,
    }
