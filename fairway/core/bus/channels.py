"""Channel and Group: how code sends, from anywhere.

Inside a consumer, operations are held until it ends (`Outbox`); elsewhere they leave at
once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from fairway.core.bus import registry
from fairway.core.bus.layer import ChannelLayer
from fairway.core.bus.operations import (
    GroupAdd,
    GroupDiscard,
    GroupSend,
    Operation,
    Send,
)
from fairway.core.content import Content, encode_content, encode_own
from fairway.core.logs import Consumed, consumed
from fairway.core.names import check_channel, check_group

__all__ = [
    "Channel",
    "Group",
    "Outbox",
    "known_channel",
    "send_held",
    "send_own",
    "set_after_commit",
]

_new = object.__new__
_LONGEST_LIFE = 10 * 365 * 24 * 60 * 60.0

AfterCommit = Callable[[Callable[[], Any]], Any]


class Outbox(Consumed, eq=False):
    """A message that is consumed, and what its consumer sends, in program order.

    Set as `consumed`, it is that of the code in the context. Operations are held while
    `holds`, and leave at once before and after that; whoever made it applies those
    that were held.
    """

    layer: ChannelLayer
    """The consumer's."""
    operations: list[Operation] = []
    holds: bool = False


_after_commit: AfterCommit = lambda call: call()  # noqa: E731


def set_after_commit(after_commit: AfterCommit) -> None:
    """Say how to call something after the current transaction."""
    global _after_commit
    _after_commit = after_commit


def send_held() -> None:
    """Let go what the consumer of this context holds; its failure takes nothing back.

    Raises:
        ChannelFull: a channel is full; what was held before it has left.
        LayerUnavailable: the layer cannot be reached.
    """
    outbox = consumed.get()
    if isinstance(outbox, Outbox) and outbox.operations:
        held, outbox.operations = outbox.operations, []
        outbox.layer.send_many(held)


class _Sender:
    """What Channel and Group share: a layer, and when operations leave.

    The layer is asked for at each use, so that one made at import time uses the layer
    of the moment: that of the consumer, or of the test, in which it sends.
    """

    __slots__ = ("_layer", "name")

    def __init__(self, name: str, layer: ChannelLayer | None) -> None:
        self.name = name
        self._layer = layer

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.name == self.name

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.name))

    @property
    def layer(self) -> ChannelLayer:
        """The channel layer behind it: the consumer's, else the default one."""
        if self._layer is not None:
            return self._layer
        outbox = consumed.get()
        if isinstance(outbox, Outbox):
            return outbox.layer
        return registry.get_layer()

    def _encode(self, content: Content) -> bytes:
        return encode_content(content, self.layer.policy.max_content)

    def _leave(
        self,
        operation: Operation,
        *,
        immediately: bool = False,
        on_commit: bool = False,
    ) -> None:
        layer = self.layer
        held = self._held(
            operation, layer, immediately=immediately, on_commit=on_commit
        )
        if not held:
            layer.send_many([operation])

    async def _aleave(
        self,
        operation: Operation,
        *,
        immediately: bool = False,
        on_commit: bool = False,
    ) -> None:
        # Held in the caller's own thread: transactions belong to threads.
        layer = self.layer
        held = self._held(
            operation, layer, immediately=immediately, on_commit=on_commit
        )
        if not held:
            await asyncio.to_thread(layer.send_many, [operation])

    def _held(
        self,
        operation: Operation,
        layer: ChannelLayer,
        *,
        immediately: bool,
        on_commit: bool,
    ) -> bool:
        """Keep an operation that leaves later; return whether this is one."""
        if on_commit:
            _after_commit(lambda: layer.send_many([operation]))
            return True
        outbox = consumed.get()
        if (
            immediately
            or not isinstance(outbox, Outbox)
            or not outbox.holds
            or outbox.layer is not layer
        ):
            return False
        outbox.operations.append(operation)
        return True


class Channel(_Sender):
    """A channel to send to.

    Args:
        name: see `fairway.core.names`.
        layer: another layer than the default one.

    Raises:
        InvalidName: `name` is not a channel's name.
    """

    __slots__ = ()

    def __init__(self, name: str, layer: ChannelLayer | None = None) -> None:
        self.name = check_channel(name)
        self._layer = layer

    def send(
        self,
        content: Content,
        *,
        immediately: bool = False,
        on_commit: bool = False,
        expiry: float | None = None,
    ) -> None:
        """Send content. Later changes of `content` do not show.

        In a consumer it leaves when the consumer has ended without an exception.

        Args:
            immediately: leave now, whatever becomes of the consumer.
            on_commit: leave after the current database transaction committed.
            expiry: seconds until nobody wants it any more.

        Raises:
            TypeError: the content may not travel, or `expiry` is no number.
            ValueError: `expiry` is not finite, or above ten years.
            MessageTooLarge: the content is above `MAX_CONTENT`.
            ChannelFull: it left now, and the channel is full.
            LayerUnavailable: it left now, and the layer cannot be reached.
        """
        layer = self.layer if self._layer is None else self._layer
        encoded = encode_content(content, layer.policy.max_content)
        send = Send(self.name, encoded, None if expiry is None else _lasting(expiry))
        if not self._held(send, layer, immediately=immediately, on_commit=on_commit):
            layer.send_many([send])

    async def asend(
        self,
        content: Content,
        *,
        immediately: bool = False,
        on_commit: bool = False,
        expiry: float | None = None,
    ) -> None:
        """`send` for async code; a send that leaves now does so in a thread."""
        send = Send(self.name, self._encode(content), _lasting(expiry))
        await self._aleave(send, immediately=immediately, on_commit=on_commit)


class Group(_Sender):
    """A named set of channels; sending to it sends to every member.

    Raises:
        InvalidName: `name` is not a group's name.
    """

    __slots__ = ()

    def __init__(self, name: str, layer: ChannelLayer | None = None) -> None:
        super().__init__(check_group(name), layer)

    def add(self, channel: Channel | str, *, immediately: bool = False) -> None:
        """Make a channel a member, or renew its membership."""
        self._leave(self._add(channel), immediately=immediately)

    def discard(self, channel: Channel | str, *, immediately: bool = False) -> None:
        """End a channel's membership; silent when it is no member."""
        self._leave(self._discard(channel), immediately=immediately)

    def send(
        self,
        content: Content,
        *,
        exclude: Iterable[Channel | str] = (),
        immediately: bool = False,
        on_commit: bool = False,
        expiry: float | None = None,
    ) -> None:
        """Send content to every member but `exclude`.

        Members that are full are skipped and counted; ChannelFull is never raised.
        Arguments and other errors are those of `Channel.send`.
        """
        send = self._send(content, exclude, expiry)
        self._leave(send, immediately=immediately, on_commit=on_commit)

    def channels(self) -> list[str]:
        """Return the names of all members; asks the layer.

        Raises:
            LayerUnavailable: the layer cannot be reached.
        """
        return self.layer.group_channels(self.name)

    def count(self) -> int:
        """Return how many members there are; asks the layer.

        Raises:
            LayerUnavailable: the layer cannot be reached.
        """
        return self.layer.group_count(self.name)

    async def aadd(self, channel: Channel | str, *, immediately: bool = False) -> None:
        """`add` for async code."""
        await self._aleave(self._add(channel), immediately=immediately)

    async def adiscard(
        self, channel: Channel | str, *, immediately: bool = False
    ) -> None:
        """`discard` for async code."""
        await self._aleave(self._discard(channel), immediately=immediately)

    async def asend(
        self,
        content: Content,
        *,
        exclude: Iterable[Channel | str] = (),
        immediately: bool = False,
        on_commit: bool = False,
        expiry: float | None = None,
    ) -> None:
        """`send` for async code."""
        send = self._send(content, exclude, expiry)
        await self._aleave(send, immediately=immediately, on_commit=on_commit)

    async def achannels(self) -> list[str]:
        """`channels` for async code."""
        return await asyncio.to_thread(self.channels)

    async def acount(self) -> int:
        """`count` for async code."""
        return await asyncio.to_thread(self.count)

    def _add(self, channel: Channel | str) -> GroupAdd:
        return GroupAdd(self.name, check_channel(str(channel)))

    def _discard(self, channel: Channel | str) -> GroupDiscard:
        return GroupDiscard(self.name, check_channel(str(channel)))

    def _send(
        self, content: Content, exclude: Iterable[Channel | str], expiry: float | None
    ) -> GroupSend:
        names = tuple(check_channel(str(channel)) for channel in exclude)
        return GroupSend(self.name, self._encode(content), names, _lasting(expiry))


def known_channel(name: str, layer: ChannelLayer) -> Channel:
    """Return a channel whose name needs no check: a host has made it."""
    channel = _new(Channel)
    channel.name = name
    channel._layer = layer
    return channel


def send_own(channel: Channel, content: Content) -> None:
    """Send content that the caller made of nothing but values that may travel.

    Like `Channel.send`, which looks at each value first: for plugins whose consumers
    answer with what they built themselves. Another kind of channel, as a decorator may
    put in the place of a message's own, is sent to by its own `send`.

    Raises:
        TypeError: a value cannot be encoded.
        MessageTooLarge: the content is above `MAX_CONTENT`.
        ChannelFull: it left now, and the channel is full.
        LayerUnavailable: it left now, and the layer cannot be reached.
    """
    if type(channel) is not Channel:
        channel.send(content)
        return
    layer = channel.layer if channel._layer is None else channel._layer
    send = Send(channel.name, encode_own(content, layer.policy.max_content))
    if not channel._held(send, layer, immediately=False, on_commit=False):
        layer.send_many([send])


def _lasting(expiry: float | None) -> float | None:
    """Return an expiry that a record can carry; what others send leaves with it."""
    if expiry is None:
        return None
    if not isinstance(expiry, int | float):
        raise TypeError(f"expiry is seconds, not {type(expiry).__name__}")
    if not abs(expiry) <= _LONGEST_LIFE:
        raise ValueError(f"expiry is seconds, at most ten years, not {expiry}")
    return expiry
