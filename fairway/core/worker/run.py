"""Runs the consumer of one message and returns what leaves for it.

What a consumer sends is held until it has ended. If it raised, none of it leaves but
what a control-flow exception names, or else the protocol's failure reply.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Awaitable
from typing import Any

from asgiref.sync import async_to_sync

from fairway.core.bus.channels import Outbox
from fairway.core.bus.layer import ChannelLayer
from fairway.core.bus.operations import Operation, Send
from fairway.core.consumer.control import MAX_RETRIES, ConsumeLater, ControlFlow
from fairway.core.consumer.matching import Consumer
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import Router
from fairway.core.content import Content, encode_content
from fairway.core.drops import Drop
from fairway.core.logs import consumed
from fairway.core.plugin.loading import Plugins
from fairway.core.plugin.spec import ProtocolSpec
from fairway.core.timings import Timings
from fairway.core.worker.loop import Begins
from fairway.core.worker.pace import SHORT, Pace
from fairway.core.worker.turns import Turns
from fairway.core.worker.unrouted import answer_unrouted, is_worth_a_word

__all__ = ["MessageRunner"]

_SHOWN = 200
"""Characters of a path in a log line."""

log = logging.getLogger("fairway.worker")


class MessageRunner:
    """Finds and runs the consumers of one thread.

    Args:
        pace: is told how long consumers run; threads share it.
        turns: taken by those that may run for long; threads share it.
    """

    def __init__(
        self,
        layer: ChannelLayer,
        router: Router,
        plugins: Plugins,
        pace: Pace,
        *,
        turns: Turns | None = None,
    ) -> None:
        self.layer = layer
        self.timings = Timings()
        self.waits = Timings()
        self._names: dict[int, str] = {}
        self._router = router
        self._plugins = plugins
        self._specs = {name: p.spec for name, p in plugins.protocols.items()}
        self._farewells = {
            event.channel
            for spec in self._specs.values()
            for event in spec.events
            if spec.peers == "owned" and event.channel.endswith(".disconnect")
        }
        self._pace = pace
        self._turns = turns or Turns(None)
        self._tells_start = plugins.listens("fairway_consumer_started")
        self._tells_finish = plugins.listens("fairway_consumer_finished")

    def run(self, message: Message, begins: Begins) -> list[Operation]:
        """Consume a message and return the operations that leave for it.

        Args:
            begins: called right before the consumer.

        Raises:
            ConsumeLater: the consumer wants it put back, and that may be done.
        """
        outbox = Outbox(message.channel, message.content, self.layer)
        token = consumed.set(outbox)
        try:
            return self._run(message, begins, outbox)
        finally:
            consumed.reset(token)

    def _run(self, message: Message, begins: Begins, outbox: Outbox) -> list[Operation]:
        matched = self._router.match(message)
        if matched is None:
            if not message.channel.endswith(".disconnect"):
                return self._unrouted(message)
            matched = (_nothing, {})
        consumer, message.kwargs = matched
        if self._tells_start:
            self._notify("fairway_consumer_started", message)
        error: Exception | None = None
        who = id(consumer)
        kind = hash((who, str(message.content.get("path"))))
        usual = self._pace.usual(kind)
        begins(usual)
        started = time.monotonic()
        try:
            if 0.0 < usual <= SHORT:
                operations = self._consume(consumer, message, outbox)
            else:
                with self._turns:
                    operations = self._consume(consumer, message, outbox)
        except ControlFlow as control:
            message.discard()
            operations = self._controlled(control, message)
        except Exception as raised:
            message.discard()
            error = raised
            operations = self._failed(message, raised)
        finally:
            took = time.monotonic() - started
            self._pace.add(kind, took)
            name = self._names.get(who) or self._name_of(consumer)
            self.timings.add((message.channel, name), took)
        if self._tells_finish:
            self._notify("fairway_consumer_finished", message, error=error)
        return operations

    def failure(self, message: Message) -> list[Operation]:
        """Return how the peer hears that its event could not be consumed."""
        spec = self._spec(message)
        return self._reply(message, spec.failure if spec else None)

    def failed(self, message: Message, error: Exception) -> None:
        """Log and count that a consumer raised."""
        log.error(
            "the consumer of %s failed for %s",
            message.channel,
            message.client or message.peer or "a message without a peer",
            exc_info=error,
        )
        self.layer.drops.add(message.channel, Drop.FAILED)
        self._notify("fairway_consumer_failed", message, exception=error)

    def _name_of(self, consumer: Consumer) -> str:
        """Find what metrics call a consumer; the router keeps all that there are."""
        owner = getattr(consumer, "__self__", consumer)  # of a class's `consume`
        named = owner if hasattr(owner, "__qualname__") else type(owner)
        name = f"{named.__module__}.{named.__qualname__}"
        self._names[id(consumer)] = name
        return name

    def _consume(
        self, consumer: Consumer, message: Message, outbox: Outbox
    ) -> list[Operation]:
        outbox.holds = True
        try:
            kwargs = message.kwargs
            result = consumer(message, **kwargs) if kwargs else consumer(message)
            if result is not None and inspect.isawaitable(result):
                # Its synchronous parts, such as the ORM, run in this thread.
                async_to_sync(_completed)(result)
            message.save()
            if message.channel in self._farewells:
                message.forget_peer()
        finally:
            outbox.holds = False
        return outbox.operations

    def _controlled(self, control: ControlFlow, message: Message) -> list[Operation]:
        if isinstance(control, ConsumeLater):
            if message.retries < MAX_RETRIES:
                raise control
            return self._failed(message, control)
        spec = self._spec(message)
        keys = spec.replies.keys() if spec else ()
        return self._reply(message, control.reply(message.channel, keys))

    def _failed(self, message: Message, error: Exception) -> list[Operation]:
        self.failed(message, error)
        return self.failure(message)

    def _unrouted(self, message: Message) -> list[Operation]:
        answer = answer_unrouted(message, self._spec(message), self._router)
        if is_worth_a_word(message, answer):
            nearest = self._router.nearest(message)
            path = (message.path or "")[:_SHOWN]
            self.layer.drops.add(
                message.channel,
                Drop.UNROUTED,
                detail=f"path {path!r}, the nearest route is {nearest}",
            )
        return self._reply(message, answer)

    def _reply(self, message: Message, content: Content | None) -> list[Operation]:
        reply_channel = message.get("reply_channel")
        if content is None or reply_channel is None:
            return []
        return [Send(reply_channel, encode_content(content))]

    def _spec(self, message: Message) -> ProtocolSpec | None:
        return self._specs.get(message.protocol or "")

    def _notify(self, hook: str, message: Message, **arguments: Any) -> None:
        self._plugins.notify(
            hook,
            channel=message.channel,
            content=message.content,
            peer=message.peer,
            **arguments,
        )


def _nothing(message: Message) -> None:
    """Consume the end of a peer that no route waits for."""


async def _completed(result: Awaitable[Any]) -> None:
    await result
