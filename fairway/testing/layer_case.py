"""What the tests of the layer conformance suite share."""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from typing import Any, TypeVar

import pytest

from fairway.core.bus.layer import ChannelLayer, Delivery, LayerPolicy, Receiver
from fairway.core.bus.operations import Send
from fairway.core.bus.record import Kind
from fairway.core.content import Content, Encoded, encode_content

__all__ = [
    "PATIENCE",
    "Collector",
    "LayerCase",
    "content",
    "numbers",
    "sends",
    "take_all",
    "until",
    "wait_until",
]

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds after which a test gives up; generous, because machines may be busy."""


class LayerCase(ABC):
    """Makes the layers of a test and closes them."""

    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    """Makes the event loop of a test, None for asyncio's own."""

    def run(self, scenario: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in an event loop and return its result."""
        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            return runner.run(asyncio.wait_for(scenario, 2 * PATIENCE))

    @abstractmethod
    def make_layer(self, policy: LayerPolicy) -> ChannelLayer:
        """Return a layer on an empty bus."""

    def make_peer_layer(self, layer: ChannelLayer) -> ChannelLayer:
        """Return a second layer on the bus of `layer`, as another process has it.

        A layer that lives in one process returns `layer` itself.
        """
        return layer

    @pytest.fixture
    def make(self) -> Iterator[Callable[[LayerPolicy], ChannelLayer]]:
        """Return a function that makes a layer for the time of the test."""
        made: list[ChannelLayer] = []

        def make(policy: LayerPolicy) -> ChannelLayer:
            layer = self.make_layer(policy)
            made.append(layer)
            return layer

        yield make
        for layer in made:
            layer.close()

    @pytest.fixture
    def layer(self, make: Callable[[LayerPolicy], ChannelLayer]) -> ChannelLayer:
        """Return a layer where channels hold much and nothing expires soon."""
        return make(LayerPolicy(capacity=lambda channel: 200_000))

    @pytest.fixture
    def peer(self, layer: ChannelLayer) -> Iterator[ChannelLayer]:
        """Return the layer of another process on the same bus."""
        peer = self.make_peer_layer(layer)
        yield peer
        if peer is not layer:
            peer.close()


class Collector:
    """The owner of a mailbox that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[Delivery] = []
        self.batches = 0
        self.threads: set[int] = set()
        self.groups: dict[str, set[str]] = {}
        self.losses = 0

    def deliver(self, deliveries: list[Delivery]) -> None:
        """Keep a batch."""
        self.got += deliveries
        self.batches += 1
        self.threads.add(threading.get_ident())

    def emptied(self) -> None:
        """Count the losses of all that waited."""
        self.losses += 1

    def memberships(self) -> Mapping[str, Collection[str]]:
        """Return what the test says."""
        return self.groups

    def of(self, kind: Kind) -> list[Any]:
        """Return the bodies of one kind."""
        return [delivery.body for delivery in self.got if delivery.kind is kind]


def content(number: int, **more: Any) -> Encoded:
    """Return content with a number in it."""
    keys: Content = {"number": number, **more}
    return encode_content(keys)


def sends(channel: str, count: int, first: int = 0) -> list[Send]:
    """Return sends with running numbers."""
    return [Send(channel, content(number)) for number in range(first, first + count)]


def numbers(deliveries: list[Delivery]) -> list[int]:
    """Return the numbers of messages."""
    return [delivery.content()["number"] for delivery in deliveries]


def take_all(
    receiver: Receiver, count: int, *, limit: int = 64, timeout: float = PATIENCE
) -> list[Delivery]:
    """Take until there are `count` messages.

    Raises:
        AssertionError: they did not come in time.
    """
    taken: list[Delivery] = []
    end = time.monotonic() + timeout
    while len(taken) < count:
        assert time.monotonic() < end, f"only {len(taken)} of {count} messages came"
        taken += receiver.take(limit, 0.2)
    return taken


def wait_until(predicate: Callable[[], object], timeout: float = PATIENCE) -> None:
    """Wait in a thread until something is true."""
    end = time.monotonic() + timeout
    while not predicate():
        assert time.monotonic() < end, f"not true within {timeout} s: {predicate}"
        time.sleep(0.002)


async def until(predicate: Callable[[], object], timeout: float = PATIENCE) -> None:
    """Wait in a coroutine until something is true."""
    end = time.monotonic() + timeout
    while not predicate():
        assert time.monotonic() < end, f"not true within {timeout} s: {predicate}"
        await asyncio.sleep(0.002)
