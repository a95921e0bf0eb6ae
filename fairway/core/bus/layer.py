"""The contract of channel layers.

A channel layer carries messages between processes: named, first-in-first-out,
at-most-once, single-listener, expiring, bounded queues, and groups for broadcast.
Workers use its blocking face (`apply`, `receiver`), an event loop its port (`port`).
`fairway.testing.layer` is the conformance suite: one test for each sentence below.
"""

from __future__ import annotations

import asyncio
import secrets
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias, final

from msgspec import Struct

from fairway.core.bus.operations import (
    GroupAdd,
    GroupDiscard,
    GroupSend,
    Operation,
    Outcome,
    Send,
    channel_of,
)
from fairway.core.bus.record import VERSION, Body, Kind, Message
from fairway.core.content import DEFAULT_MAX_CONTENT, Content, Encoded, decode_content
from fairway.core.drops import Drops
from fairway.core.exceptions import ChannelFull, LayerUnavailable
from fairway.core.names import check_channel

__all__ = [
    "APPLY_TIMEOUT",
    "ChannelLayer",
    "ChannelStatistics",
    "Delivery",
    "LayerPolicy",
    "LayerPort",
    "Mailbox",
    "MailboxOwner",
    "Reader",
    "Receiver",
    "Told",
]

APPLY_TIMEOUT = 5.0
"""Seconds that operations may take before their outcome is known."""
_ANSWERS_SINCE = 2


class Delivery(Struct, frozen=True, gc=False):
    """One record that was taken; nobody else gets it."""

    channel: str
    """The channel it waited on; for a mailbox its name and `!`."""
    kind: Kind
    body: Body
    deadline: float
    """When it expires, in seconds of this process's `time.monotonic()`."""
    sent: float | None = None
    """When it was sent, in the same clock; None when an older process did not say."""

    def content(self) -> Content:
        """Return what was sent.

        Raises:
            TypeError: the record is no message.
        """
        if not isinstance(self.body, Message):
            raise TypeError(f"a {self.kind.name} record has no content")
        return decode_content(self.body.content)


class ChannelStatistics(Struct, frozen=True):
    """The state of one channel."""

    waiting: int
    """Messages that nobody took yet."""
    oldest_age: float | None
    """Seconds that the oldest of them has waited, None when unknown or empty."""


class Reader(Struct, frozen=True):
    """A connection that takes from queues: a worker's, or an interface server's."""

    queues: tuple[str, ...]
    """Channels, and mailboxes with their `!` at the end."""
    silent: float
    """Seconds since it asked for the last time; one that works asks every few."""


Told: TypeAlias = Callable[[list[Outcome]], None]
"""What `ChannelLayer.apply_and_take` calls with what became of each operation, in
their order."""


class LayerPolicy:
    """How much each channel may hold, and for how long.

    Args:
        capacity: messages that a channel may hold, by channel name.
        expiry: seconds after which a message on a channel expires, by channel name.
        max_content: bytes of encoded content.
        mailbox_capacity: messages that a mailbox may hold; twice as many records
            which are no messages.
        mailbox_lease: seconds after which a mailbox whose process vanished leaves its
            groups.
        group_expiry: seconds after its last add that a normal channel stays a member
            of a group.
        version: of the records that this process writes, see `record.READABLE`.
    """

    MAILBOX_CAPACITY = 20_000
    MAILBOX_LEASE = 15.0
    GROUP_EXPIRY = 86_400.0

    def __init__(
        self,
        *,
        capacity: Callable[[str], int] = lambda channel: 100,
        expiry: Callable[[str], float] = lambda channel: 60.0,
        max_content: int = DEFAULT_MAX_CONTENT,
        mailbox_capacity: int = MAILBOX_CAPACITY,
        mailbox_lease: float = MAILBOX_LEASE,
        group_expiry: float = GROUP_EXPIRY,
        version: int = VERSION,
    ) -> None:
        self.capacity = capacity
        self.expiry = expiry
        self.max_content = max_content
        self.mailbox_capacity = mailbox_capacity
        self.mailbox_lease = mailbox_lease
        self.group_expiry = group_expiry
        self.version = version
        self.answers = version >= _ANSWERS_SINCE
        """Whether `Answer` may be used."""


class Receiver(ABC):
    """Takes messages from channels, for threads that may block.

    One thread at a time may take; the rest may be called from any thread.
    """

    emptied: int = 0
    """How often the layer was found to have lost all that it held; any thread reads."""

    @abstractmethod
    def take(self, limit: int, timeout: float | None = None) -> list[Delivery]:
        """Wait for messages and take up to `limit` of them.

        - Messages of one channel come in the order in which they were accepted.
        - Each message is handed to exactly one receiver, once.
        - A take rotates between the channels: a message that waits on a quiet channel
          is in the next take, however full another one is.
        - No message is handed out more than a second after its expiry.
        - It returns at once when something waits, and without polling as soon as
          something arrives; with an empty list after `timeout` seconds, or `wake`.
        - While the layer is unavailable it reconnects by itself and waits on.
        """

    @abstractmethod
    def wake(self) -> None:
        """Make a blocked take, or else the next one, return; loses no message.

        Waits for nothing, so that a signal handler may call it.
        """

    @abstractmethod
    def resubscribe(self) -> None:
        """Drop the connection, if there is one; the next take makes a new one.

        For when messages stay out: what is being taken at that moment may be lost.
        """

    @abstractmethod
    def close(self) -> None:
        """Give everything back; a blocked take returns."""


class MailboxOwner(typing.Protocol):
    """The process behind a mailbox."""

    def deliver(self, deliveries: list[Delivery]) -> None:
        """Take a batch in order; called in the event loop's thread, must not raise."""

    def emptied(self) -> None:
        """The layer lost all that it held: what it accepted before and nobody took.

        Called in the event loop's thread, before anything is accepted again.
        """

    def memberships(self) -> Mapping[str, Collection[str]]:
        """Return the local parts in each group, for the layer to restore them.

        Called in the event loop's thread.
        """


class Mailbox(ABC):
    """The queue of one process, read by its event loop.

    When the layer forgot the mailbox (a restart, a pause above the lease), it registers
    the owner's memberships again by itself.
    """

    name: str
    """A unique name; reply channels are `name!local`."""

    @abstractmethod
    def resubscribe(self) -> None:
        """Drop the connection, if there is one, and make a new one.

        For when messages stay out: what is being taken at that moment may be lost.
        """

    @abstractmethod
    async def close(self) -> None:
        """End it: its groups forget it, what waits in it is lost."""


class LayerPort(ABC):
    """The face of a layer for an event loop; use it in the loop's thread only."""

    @abstractmethod
    def post(
        self, operation: Operation, done: Callable[[Outcome], None] | None = None
    ) -> None:
        """Carry out an operation together with all others of this loop tick.

        Never blocks or raises; `done` is called later, in the loop, and must not raise.
        """

    @abstractmethod
    async def apply(
        self, operations: Sequence[Operation], timeout: float = APPLY_TIMEOUT
    ) -> list[Outcome]:
        """Carry out operations in order and return what became of each."""

    @abstractmethod
    def mailbox(self, prefix: str, owner: MailboxOwner) -> Mailbox:
        """Open a mailbox whose name starts with `prefix` and a dot."""

    @abstractmethod
    async def claim(self, key: str, ttl: float, owner: str = "") -> bool:
        """See `ChannelLayer.claim`."""

    @abstractmethod
    async def close(self) -> None:
        """Send what was posted, then give everything back."""


class ChannelLayer(ABC):
    """Carries messages between processes. All methods may be used by any thread.

    - At most once, always: a message handed to a receiver is gone.
    - A channel takes its capacity; expired messages do not count.
    - When an add is acknowledged, every group send that starts later reaches the
      member. One sender's messages reach each member in order.
    - Group sends never answer FULL; members that are full are skipped and counted.
    - Nothing is ever sent twice: an unknown outcome counts as sent.
    - An outage is logged by the layer: when it begins, when its reason changes, and
      once when it ends.
    """

    url: str
    """Where it is, without secrets."""
    policy: LayerPolicy
    drops: Drops
    trouble: str
    """Why the layer was unavailable last, for the text of errors."""

    def __init__(self, url: str, policy: LayerPolicy) -> None:
        self.url = url
        self.policy = policy
        self.drops = Drops()
        self.trouble = "not reachable"

    @abstractmethod
    def apply(
        self, operations: Sequence[Operation], timeout: float = APPLY_TIMEOUT
    ) -> list[Outcome]:
        """Carry out operations in order and return what became of each.

        Returns within about `timeout` seconds, never raises for an outage.
        """

    def apply_and_take(
        self,
        operations: Sequence[Operation],
        told: Told,
        receiver: Receiver,
        limit: int,
    ) -> list[Delivery]:
        """Carry out operations like `apply`, then take like `receiver.take(limit)`.

        A layer overrides it where one step costs less than two.

        Args:
            told: called once with what became of each operation, in this thread and
                before anything is waited for that is to be taken.
            receiver: one that this layer made.
        """
        told(self.apply(operations))
        return receiver.take(limit)

    @abstractmethod
    def receiver(self, channels: Sequence[str]) -> Receiver:
        """Listen to channels; a mailbox is named with its `!` at the end."""

    @abstractmethod
    def port(self, loop: asyncio.AbstractEventLoop) -> LayerPort:
        """Return the layer's face for an event loop."""

    @abstractmethod
    def group_channels(self, group: str) -> list[str]:
        """Return the members of a group.

        Raises:
            LayerUnavailable: the layer cannot be reached.
        """

    @abstractmethod
    def claim(self, key: str, ttl: float, owner: str = "") -> bool:
        """Return True to exactly one caller among all processes for `ttl` seconds.

        Args:
            owner: who claims; the same owner may claim again before the time is over,
                which then begins anew, and gives up with a `ttl` of 0.

        Raises:
            LayerUnavailable: the layer cannot be reached.
        """

    @abstractmethod
    def statistics(self, channels: Sequence[str]) -> dict[str, ChannelStatistics]:
        """Return the state of channels.

        Raises:
            LayerUnavailable: the layer cannot be reached.
        """

    @abstractmethod
    def flush(self) -> None:
        """Forget all messages, groups and claims; for tests.

        Raises:
            LayerUnavailable: the layer cannot be reached.
        """

    @abstractmethod
    def close(self) -> None:
        """Give everything back: connections, threads, receivers."""

    def readers(self) -> list[Reader] | None:
        """Return who takes from queues at this moment, None when that is unknown.

        Raises:
            LayerUnavailable: the layer cannot be reached.
        """
        return None

    def group_count(self, group: str) -> int:
        """Return how many members a group has.

        Raises:
            LayerUnavailable: the layer cannot be reached.
        """
        return len(self.group_channels(group))

    def new_channel(self, pattern: str) -> str:
        """Return a channel name that nobody uses, with one reader: `a.b?` and a token.

        Raises:
            ValueError: `pattern` does not end in `?`.
        """
        if not pattern.endswith("?"):
            raise ValueError(f"{pattern!r} must end in '?'")
        return check_channel(pattern + secrets.token_hex(12))

    @final
    def send(
        self,
        channel: str,
        content: Encoded,
        *,
        expiry: float | None = None,
        timeout: float = APPLY_TIMEOUT,
    ) -> None:
        """Put content on a channel.

        Raises:
            ChannelFull: the channel holds as much as it may.
            LayerUnavailable: the layer cannot be reached.
        """
        self.send_many([Send(channel, content, expiry)], timeout)

    @final
    def send_many(
        self, operations: Sequence[Operation], timeout: float = APPLY_TIMEOUT
    ) -> None:
        """Carry out operations in order; raises for the first that failed.

        Raises:
            ChannelFull: a channel holds as much as it may.
            LayerUnavailable: the layer cannot be reached.
        """
        outcomes = self.apply(operations, timeout)
        for operation, outcome in zip(operations, outcomes, strict=True):
            if outcome is Outcome.FULL:
                raise ChannelFull(channel_of(operation))
            if outcome is not Outcome.ACCEPTED:
                unknown = outcome is Outcome.UNKNOWN
                raise LayerUnavailable(self.url, self.trouble, sent=unknown)

    @final
    def group_add(self, group: str, channel: str) -> None:
        """Make a channel a member; raises like `send_many`."""
        self.send_many([GroupAdd(group, channel)])

    @final
    def group_discard(self, group: str, channel: str) -> None:
        """End a membership; raises like `send_many`."""
        self.send_many([GroupDiscard(group, channel)])

    @final
    def group_send(
        self, group: str, content: Encoded, exclude: tuple[str, ...] = ()
    ) -> None:
        """Put content on every member's channel; raises like `send_many`."""
        self.send_many([GroupSend(group, content, exclude)])
