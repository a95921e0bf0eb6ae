"""Channel and Group: when operations leave, and through which layer."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import timedelta
from typing import Any

import pytest

from fairway.core.bus import channels, registry
from fairway.core.bus.channels import Channel, Group, Outbox
from fairway.core.bus.layer import ChannelLayer, LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.operations import GroupAdd, GroupDiscard, GroupSend, Send
from fairway.core.bus.registry import get_layer, override_layer
from fairway.core.content import encode_content
from fairway.core.exceptions import (
    ChannelFull,
    ConfigurationError,
    InvalidName,
    MessageTooLarge,
)
from fairway.core.logs import consumed

MODULE_LEVEL = Channel("in")


@pytest.fixture
def layer() -> Iterator[ChannelLayer]:
    layer = MemoryLayer("memory://", LayerPolicy(capacity=lambda name: 2))
    with override_layer(layer):
        yield layer


def waiting(layer: ChannelLayer, channel: str = "in") -> int:
    return layer.statistics([channel])[channel].waiting


def test_a_channel_made_at_import_uses_the_layer_of_the_moment() -> None:
    for _ in range(2):
        layer = MemoryLayer("memory://", LayerPolicy())
        with override_layer(layer):
            MODULE_LEVEL.send({"a": 1})

        assert waiting(layer) == 1


@contextmanager
def holding(layer: ChannelLayer) -> Iterator[Outbox]:
    """Hold what is sent, as while a consumer runs."""
    outbox = Outbox("in", {}, layer, holds=True)
    token = consumed.set(outbox)
    try:
        yield outbox
    finally:
        outbox.holds = False
        consumed.reset(token)


def test_what_code_sends_after_its_consumer_has_ended_leaves_at_once(
    layer: ChannelLayer,
) -> None:
    with holding(layer):
        left_behind = copy_context()

    left_behind.run(Channel("in").send, {"a": 1})

    assert waiting(layer) == 1


def test_outside_of_a_consumer_a_send_leaves_at_once(layer: ChannelLayer) -> None:
    Channel("in").send({"a": 1})

    assert waiting(layer) == 1


def test_a_full_channel_raises_at_once(layer: ChannelLayer) -> None:
    Channel("in").send({"a": 1})
    Channel("in").send({"a": 1})

    with pytest.raises(ChannelFull):
        Channel("in").send({"a": 1})


def test_inside_of_a_consumer_operations_are_held_in_order(
    layer: ChannelLayer,
) -> None:
    with holding(layer) as outbox:
        Channel("in").send({"a": 1}, expiry=5)
        Group("room").add("in")
        Group("room").send({"a": 2}, exclude=[Channel("out")])
        Group("room").discard(Channel("in"))

    assert outbox.operations == [
        Send("in", encode_content({"a": 1}), 5),
        GroupAdd("room", "in"),
        GroupSend("room", encode_content({"a": 2}), ("out",)),
        GroupDiscard("room", "in"),
    ]
    assert waiting(layer) == 0


@pytest.mark.parametrize(
    "expiry", [float("inf"), float("nan"), 1e300, "60", timedelta(seconds=60)]
)
def test_an_expiry_that_no_record_carries_raises_at_the_call(
    layer: ChannelLayer, expiry: Any
) -> None:
    with holding(layer) as outbox:
        with pytest.raises((TypeError, ValueError), match="expiry is seconds"):
            Channel("in").send({}, expiry=expiry)
        with pytest.raises((TypeError, ValueError), match="expiry is seconds"):
            Group("room").send({}, expiry=expiry)

    assert outbox.operations == []


def test_content_is_encoded_at_the_call(layer: ChannelLayer) -> None:
    content = {"a": 1}
    with holding(layer) as outbox:
        Channel("in").send(content)
        content["a"] = 2

    assert outbox.operations == [Send("in", encode_content({"a": 1}))]


def test_immediately_leaves_from_inside_of_a_consumer(layer: ChannelLayer) -> None:
    with holding(layer) as outbox:
        Channel("in").send({"a": 1}, immediately=True)

        assert waiting(layer) == 1
    assert outbox.operations == []


def test_another_layer_than_the_consumers_is_not_held(layer: ChannelLayer) -> None:
    other = MemoryLayer("memory://", LayerPolicy())
    with holding(other) as outbox:
        Channel("in", layer).send({"a": 1})
        Channel("in").send({"a": 2})

    assert waiting(layer) == 1
    assert len(outbox.operations) == 1


@pytest.fixture
def commits() -> Iterator[list[Callable[[], Any]]]:
    """Calls that wait for a transaction to be committed."""
    calls: list[Callable[[], Any]] = []
    before = channels._after_commit
    channels.set_after_commit(calls.append)
    yield calls
    channels.set_after_commit(before)


def test_on_commit_leaves_after_the_transaction(
    layer: ChannelLayer, commits: list[Callable[[], Any]]
) -> None:
    with holding(layer) as outbox:
        Channel("in").send({"a": 1}, on_commit=True)
    assert (waiting(layer), outbox.operations) == (0, [])

    commits[0]()

    assert waiting(layer) == 1


def test_on_commit_is_asked_for_in_the_thread_of_the_transaction(
    layer: ChannelLayer, commits: list[Callable[[], Any]]
) -> None:
    threads: list[int] = []
    channels.set_after_commit(lambda call: threads.append(threading.get_ident()))

    asyncio.run(Channel("in").asend({"a": 1}, on_commit=True))

    assert threads == [threading.get_ident()]


def test_async_twins_do_the_same(layer: ChannelLayer) -> None:
    async def scenario() -> tuple[list[str], int]:
        await Channel("in").asend({"a": 1})
        room = Group("room")
        await room.aadd("in")
        await room.aadd("out")
        await room.adiscard("out")
        await room.asend({"a": 2})
        return await room.achannels(), await room.acount()

    assert asyncio.run(scenario()) == (["in"], 1)
    assert waiting(layer) == 2


def test_async_operations_of_a_consumer_are_held(layer: ChannelLayer) -> None:
    async def scenario() -> None:
        await Channel("in").asend({"a": 1})
        await Group("room").asend({"a": 2})

    with holding(layer) as outbox:
        asyncio.run(scenario())

    assert len(outbox.operations) == 2


def test_a_wrong_name_raises_at_the_call() -> None:
    with pytest.raises(InvalidName):
        Channel("a b")
    with pytest.raises(InvalidName):
        Group("a!b")


def test_a_wrong_member_raises_at_the_call(layer: ChannelLayer) -> None:
    with pytest.raises(InvalidName):
        Group("room").add("a b")
    with pytest.raises(InvalidName):
        Group("room").send({}, exclude=["a b"])


def test_content_above_the_layers_limit_raises_at_the_call() -> None:
    layer = MemoryLayer("memory://", LayerPolicy(max_content=10))

    with pytest.raises(MessageTooLarge):
        Channel("in", layer).send({"a": "b" * 10})


def test_channels_and_groups_are_equal_by_kind_and_name() -> None:
    assert Channel("a") == Channel("a") != Channel("b")
    assert len({Channel("a"), Channel("a"), Group("a")}) == 2
    assert (str(Channel("a")), repr(Group("a"))) == ("a", "Group('a')")


@pytest.fixture
def made() -> Iterator[list[MemoryLayer]]:
    """The layers that the factory made; the process has none before and after."""
    layers: list[MemoryLayer] = []

    def factory() -> dict[str, ChannelLayer]:
        layers.append(MemoryLayer("memory://", LayerPolicy()))
        return {"default": layers[-1]}

    before = registry._factory
    registry.reset()
    registry.install_factory(factory)
    yield layers
    registry.reset()
    registry._factory = before


def test_threads_that_ask_together_get_the_same_layer(made: list[MemoryLayer]) -> None:
    got: list[ChannelLayer] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        got.append(get_layer())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 1
    assert got == [made[0]] * 8


def test_an_overridden_alias_does_not_hide_the_others(made: list[MemoryLayer]) -> None:
    with override_layer(MemoryLayer("memory://", LayerPolicy()), "other"):
        assert get_layer() is made[0]


def test_an_unknown_alias_names_the_nearest(made: list[MemoryLayer]) -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'default'"):
        get_layer("defualt")
