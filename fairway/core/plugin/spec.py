"""What a protocol is, as frozen data: for hosts, workers, docs, checks and tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from fairway.core.content import Content
from fairway.core.settings import Config

__all__ = ["API_VERSION", "Event", "ProtocolSpec"]

API_VERSION = 1
"""The version of the plugin API that this fairway offers."""


class Event(Struct, frozen=True, kw_only=True):
    """One kind of event of a protocol."""

    channel: str
    """`<protocol>.<what>`, such as `websocket.receive`."""
    keys: Mapping[str, type] = {}
    """The content's own keys; the host adds the envelope."""
    capacity: int = 1_000
    """Messages that the channel may hold."""
    patience: float = 5.0
    """Seconds that the host tries to get it onto the bus before it refuses it."""
    summary: str = ""
    """One sentence for docs and `fairway protocols`."""


class ProtocolSpec(Struct, frozen=True, kw_only=True):
    """One protocol."""

    name: str
    """One word; the prefix of its channels and of its peers' identities."""
    api: int = API_VERSION
    """The version of the plugin API that it was written for."""
    config: type[Config]
    """The typed form of its section in `FAIRWAY["PLUGINS"]`."""
    events: tuple[Event, ...]
    """What it puts on channels."""
    replies: Mapping[str, type]
    """Keys that its reply channels understand."""
    peers: Literal["owned", "shared", "none"]
    """owned: a peer lives in one interface server; shared: any may carry it."""
    ordering: Literal["peer", "none"]
    """peer: events of one peer are consumed one after another."""
    failure: Content | None = None
    """What a peer gets when its consumer raised; None for nothing."""
    unrouted: Content | None = None
    """What a peer gets when no route takes its first event; None for nothing."""
    transports: Mapping[str, str]
    """Kind of host to `module:Class` of its protocol; imported by hosts only."""
    routes: str | None = None
    """Dotted path of default routes; imported by workers only."""
    requires: tuple[str, ...] = ()
    """Modules it needs."""
    install: str = ""
    """What `pip install` gets them with, such as `fairway[sms]`."""
    summary: str = ""
    """One sentence for docs and `fairway protocols`."""
