"""Protocols: what a host runs, and the steps that a pure mapping returns.

A mapping takes wire events and the time and returns steps; it calls nobody. A protocol
performs the steps: it is the only place where they become effects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct

from fairway.core.content import Content
from fairway.core.plugin.host import Host, Peer, Refusal
from fairway.core.settings import Config

__all__ = ["BaseProtocol", "ConfigT", "Emit", "Hangup", "Invalid", "Step", "Write"]

ConfigT = TypeVar("ConfigT", bound=Config)


class Emit(Struct, frozen=True, gc=False):
    """Step: put an event on a channel."""

    channel: str
    content: Content


class Write(Struct, frozen=True, gc=False):
    """Step: send bytes (on a datagram protocol: one datagram)."""

    data: bytes


class Hangup(Struct, frozen=True, gc=False):
    """Step: end the peer's connection after what was written."""

    reason: str = ""


class Invalid(Struct, frozen=True, gc=False):
    """Step: count what the peer sent as invalid; an answer and `Hangup` go beside it.

    Unlike `RemoteProtocolError`, it leaves what came before in the same bytes alone.
    """

    reason: str


Step: TypeAlias = Emit | Write | Hangup | Invalid


class BaseProtocol(Generic[ConfigT]):
    """A running protocol. One instance per process; all calls come in the loop.

    An exception out of `deliver`, `refuse` or `forwarded` is logged, counted and ends
    nothing but the call.
    """

    def __init__(self, config: ConfigT, host: Host) -> None:
        self.config = config
        self.host = host

    async def start(self) -> None:
        """Begin to listen."""

    def deliver(self, peers: Sequence[Peer], content: Content) -> None:
        """Put a reply on the wire of each peer (many when sent to a group)."""
        raise NotImplementedError

    def refuse(
        self, peer: Peer | None, channel: str, content: Content, why: Refusal
    ) -> None:
        """Tell the peer that its event did not get through: 503, 1013, nothing."""

    def unanswered(self, peer: Peer, why: str) -> None:
        """Tell a peer whose events are not ordered that nobody will answer its event.

        The bus took the event, and lost it or delivers nothing (`why`, a code of
        `Drop`). For who waits for an answer; the protocol counts what it gives up.
        """

    def hold(self, peer: Peer, reading: bool) -> None:
        """Stop (False) or resume (True) reading from the peer."""

    def forwarded(self, peer: Peer, content: Content) -> None:
        """Take what another process handed over with `Host.forward`."""

    def figures(self) -> Mapping[str, float]:
        """Return what the metrics show as `fairway_<protocol>_<name>`; any thread.

        Names are made of small letters, digits and `_`.
        """
        return {}

    def disconnect(self, peer: Peer, reason: str) -> None:
        """End a peer's connection: a reply to it was lost, which it must not overlook.

        Must lead to `close_peer`. `reason` is one word, such as `overflow`.
        """

    async def stop(self, grace: float) -> None:
        """Stop listening, end what is going on within `grace` seconds, then return."""
