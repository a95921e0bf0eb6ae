"""What a thread of a worker owes for each record."""

from __future__ import annotations

import time
from typing import Any

import pytest

from fairway.core.bus.channels import Channel, Group
from fairway.core.bus.layer import Delivery, LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.operations import (
    CONTROL_EXPIRY,
    Answer,
    Busy,
    Done,
    GroupSend,
    Lost,
    Operation,
    Outcome,
    Send,
)
from fairway.core.consumer.control import ConsumeLater
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import Router, Routing, route
from fairway.core.content import decode_content, encode_content
from fairway.core.drops import Drop
from fairway.core.plugin.loading import Plugins
from fairway.core.worker.flush import Out
from fairway.core.worker.loop import Begins
from fairway.core.worker.pace import Pace
from fairway.core.worker.records import RecordRunner
from fairway.core.worker.run import MessageRunner
from tests.core.worker.conftest import Host


class Bench:
    """One thread's runner, and a note of what it applied."""

    def __init__(
        self, routing: Routing, plugins: Plugins, capacity: int = 100, **policy: Any
    ) -> None:
        self.layer = _Noting(capacity, policy)
        self.host = Host(self.layer)
        self.out = Out(self.layer)
        router = Router(routing, plugins)
        messages = MessageRunner(self.layer, router, plugins, Pace())
        self.runner = RecordRunner(messages, self.out)
        self._receiver = self.layer.receiver(router.channels())

    def deliver(self, *events: dict[str, Any], **options: Any) -> Delivery:
        """Emit events and take them."""
        self.host.emit("ada", *events, **options)
        [delivery] = self._receiver.take(1, 0)
        self.layer.writes.clear()
        return delivery

    def consume(self, delivery: Delivery, begins: Begins = lambda usual: None) -> None:
        """Consume a record as a loop does, and flush."""
        self.runner.consume(delivery, begins)
        self.out.flush()

    @property
    def operations(self) -> list[Operation]:
        """All that was applied since the last delivery."""
        return [one for write in self.layer.writes for one in write]

    @property
    def dropped(self) -> dict[Any, int]:
        """How many messages were dropped, by channel and reason."""
        return dict(self.layer.drops.counts())


class _Noting(MemoryLayer):
    def __init__(self, capacity: int, policy: dict[str, Any]) -> None:
        policy = {"capacity": lambda channel: capacity, **policy}
        super().__init__("memory://", LayerPolicy(**policy))
        self.writes: list[list[Operation]] = []

    def apply(self, operations: Any, timeout: float = 5.0) -> list[Outcome]:
        self.writes.append(list(operations))
        return super().apply(operations, timeout)


def echo(message: Message) -> None:
    message.reply_channel.send({"text": message.text})
    message.state["last"] = message.text


ECHO = [route("websocket.receive", echo)]
STATE = encode_content({"last": "b"})
ANSWER = Answer("host!ada", encode_content({"text": "b"}), 1, STATE, 60.0)
A, B = {"order": 0, "text": "a"}, {"order": 1, "text": "b"}


def texts(operations: list[Operation]) -> list[Any]:
    return [
        decode_content(one.content)["text"] if isinstance(one, Send) else type(one)
        for one in operations
    ]


def ending(plugins: Plugins, *options: Any, **policy: Any) -> list[Any]:
    """Return what leaves for a consumer that sends `options` in this order."""

    def consumer(message: Message) -> None:
        for name, option in options:
            if name == "room":
                Group("room", bench.layer).send({"text": option})
            else:
                Channel(name, bench.layer).send({"text": name}, **option)

    bench = Bench([route("websocket.receive", consumer)], plugins, **policy)
    bench.consume(bench.deliver(A))
    return [type(one) for one in bench.operations]


def test_a_last_reply_and_the_end_of_its_record_are_one(plugins: Plugins) -> None:
    mine: Any = ("host!ada", {})

    assert ending(plugins, mine) == [Answer]
    assert ending(plugins, mine, mine) == [Send, Answer]
    assert ending(plugins, ("room", "x"), mine) == [GroupSend, Answer]
    assert ending(plugins, ("host!ada", {"expiry": 90})) == [Answer]
    assert ending(plugins, mine, version=1) == [Send, Done]


def test_another_last_operation_is_not_one_with_the_end(plugins: Plugins) -> None:
    mine: Any = ("host!ada", {})

    assert ending(plugins) == [Done]
    assert ending(plugins, mine, ("room", "x")) == [Send, GroupSend, Done]
    assert ending(plugins, ("host!bob", {})) == [Send, Done]
    assert ending(plugins, ("host!ada", {"expiry": 30})) == [Send, Done]


@pytest.mark.parametrize("expiry", [59.0, 60.0])
def test_a_reply_that_expires_before_the_end_would_is_not_one_with_it(
    plugins: Plugins, expiry: float
) -> None:
    left = ending(plugins, ("host!ada", {}), expiry=lambda channel: expiry)

    assert left == ([Send, Done] if expiry < CONTROL_EXPIRY else [Answer])


def test_the_replies_and_the_end_of_a_record_leave_in_one_write(
    plugins: Plugins,
) -> None:
    bench = Bench(ECHO, plugins)

    bench.consume(bench.deliver(A, B))

    [write] = bench.layer.writes
    assert texts(write) == ["a", Answer]
    assert write[-1] == ANSWER


def test_a_ready_reply_may_leave_before_the_next_consumer_begins(
    plugins: Plugins,
) -> None:
    bench = Bench(ECHO, plugins)

    bench.consume(bench.deliver(A, B), begins=lambda kind: bench.out.flush())

    assert [texts(write) for write in bench.layer.writes] == [["a"], [Answer]]


def test_a_record_that_expired_before_it_began_is_lost(plugins: Plugins) -> None:
    bench = Bench(ECHO, plugins)
    delivery = bench.deliver(A, B)
    late = Delivery(
        delivery.channel, delivery.kind, delivery.body, time.monotonic() - 0.001
    )

    bench.consume(late)

    assert bench.operations == [Lost("host!ada", 1)]
    assert bench.dropped == {("websocket.receive", Drop.EXPIRED): 1}


def test_events_that_are_put_off_go_back_with_their_state(plugins: Plugins) -> None:
    def later(message: Message) -> None:
        if message.text == "b" and message.retries == 0:
            raise ConsumeLater
        echo(message)

    bench = Bench([route("websocket.receive", later)], plugins)

    bench.consume(bench.deliver(A, B))

    first, busy, again = bench.operations
    assert texts([first]) == ["a"]
    assert busy == Busy("host!ada", 1)
    assert isinstance(again, Send)
    assert again.channel == "websocket.receive"
    assert (again.order, again.state) == (1, encode_content({"last": "a"}))
    assert again.expiry is not None
    assert 0 < again.expiry <= 60
    assert again.events is not None
    assert [decode_content(event)["text"] for event in again.events] == ["b"]


def test_the_end_of_events_that_were_put_off_tells_their_state(
    plugins: Plugins,
) -> None:
    def later(message: Message) -> None:
        if message.text == "b" and message.retries == 0:
            raise ConsumeLater
        message.state.setdefault("first", message.text)

    bench = Bench([route("websocket.receive", later)], plugins)
    bench.consume(bench.deliver(A, B))

    [again] = bench.layer.receiver(["websocket.receive"]).take(1, 0)
    bench.consume(again)

    assert bench.operations[-1] == Done("host!ada", 1, encode_content({"first": "a"}))


def test_events_that_cannot_be_put_off_have_failed(plugins: Plugins) -> None:
    def later(message: Message) -> None:
        raise ConsumeLater

    bench = Bench([route("websocket.receive", later)], plugins, capacity=1)
    delivery = bench.deliver(A, B)
    bench.host.emit("bob", A)

    bench.consume(delivery)

    failure, lost = bench.operations[-2:]
    assert failure == Send("host!ada", encode_content({"close": 1011}))
    assert lost == Lost("host!ada", 1)
    assert bench.dropped == {("websocket.receive", Drop.FULL): 1}


def test_signs_of_life_stop_with_the_record(plugins: Plugins) -> None:
    signs: list[Busy | None] = []

    def long(message: Message) -> None:
        signs.append(bench.runner.busy(time.monotonic() + 11))

    bench = Bench([route("websocket.receive", long)], plugins)

    bench.consume(bench.deliver(A, B))
    signs.append(bench.runner.busy(time.monotonic() + 100))

    assert signs == [Busy("host!ada", 1), None, None]


@pytest.mark.parametrize(
    "body", [b"\xc1", encode_content({}), encode_content({"reply_channel": 5})]
)
def test_a_record_without_a_peer_to_tell_is_counted(
    plugins: Plugins, body: bytes
) -> None:
    bench = Bench(ECHO, plugins)
    bench.layer.apply([Send("websocket.receive", body, events=(encode_content(A),))])
    [delivery] = bench.layer.receiver(["websocket.receive"]).take(1, 0)
    bench.layer.writes.clear()

    bench.consume(delivery)
    bench.runner.abandon(delivery, Drop.FAILED)

    assert bench.operations == []
    assert bench.dropped[("websocket.receive", Drop.INVALID)] == 2
