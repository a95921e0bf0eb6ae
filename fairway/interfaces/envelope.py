"""The envelope of events: what the host adds, so that no two plugins disagree."""

from __future__ import annotations

import msgspec

from fairway.core.content import STATE, Content, Encoded, encode_content
from fairway.interfaces.peers import LocalPeer

__all__ = ["envelope_of", "in_envelope", "join", "with_state"]

_encode = msgspec.msgpack.Encoder().encode

_FIXMAP, _MAP16, _MAP32 = 0x80, 0xDE, 0xDF
_SHORT = [bytes((_FIXMAP | count,)) for count in range(16)]


def envelope_of(peer: LocalPeer, protocol: str) -> Encoded:
    """Return the envelope of a peer's next event, which then counts as left."""
    if peer.fresh:
        encoded = _encode(_first_fields(peer, protocol))
        peer.fresh, peer.head = False, None
        return encoded
    if not peer.envelope:
        peer.envelope = _encode(_fields(peer, protocol))
    return peer.envelope


def in_envelope(
    peer: LocalPeer | None, protocol: str, content: Content, limit: int
) -> Encoded:
    """Return the content of a peer's next event, or nobody's, with its envelope.

    Raises:
        TypeError: the content may not travel.
        MessageTooLarge: it has more than `limit` bytes without the envelope.
    """
    if peer is None:
        return encode_content(content, limit, shared={"protocol": protocol})
    if peer.fresh:
        first = _first_fields(peer, protocol)
        encoded = encode_content(content, limit, shared=first)
        peer.fresh, peer.head = False, None
    else:
        envelope = peer.envelope or envelope_of(peer, protocol)
        encoded = join(envelope, encode_content(content, limit))
    return with_state(encoded, peer.state) if peer.state else encoded


def with_state(encoded: Encoded, state: Encoded) -> Encoded:
    """Return an event's content with the state of its peer, for the worker."""
    return join(encoded, _encode({STATE: state}))


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


def _first_fields(peer: LocalPeer, protocol: str) -> Content:
    fields = _fields(peer, protocol)
    head = peer.head
    if head is not None:
        fields["query_string"] = head.query_string
        fields["headers"] = head.headers
        fields["scheme"] = head.scheme
        fields["server"] = head.server
    elif peer.order is None:
        # Without a connection nobody else says that somebody is new.
        fields["first"] = True
    return fields


def _fields(peer: LocalPeer, protocol: str) -> Content:
    fields: Content = {
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
