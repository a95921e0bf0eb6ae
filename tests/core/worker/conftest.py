"""Workers of hand-written protocols over a memory layer, and a host that feeds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fairway.core.bus.layer import Delivery, LayerPolicy, Receiver
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.operations import Send
from fairway.core.bus.record import Answer, Done, Kind, Message
from fairway.core.consumer.routing import Router, Routing
from fairway.core.content import Content, encode_content
from fairway.core.plugin.loading import Plugins
from fairway.core.settings import Settings
from fairway.core.worker import Worker
from tests.support.waiting import wait_until

MakeWorker = Callable[..., Worker]


def apart(delivery: Delivery) -> list[Delivery]:
    """Return a delivery; an answer as the message and the end that it stands for."""
    body = delivery.body
    if not isinstance(body, Answer):
        return [delivery]
    message = Message(body.local, body.content)
    done = Done(body.local, body.order, body.state)
    return [
        Delivery(delivery.channel, kind, each, delivery.deadline, delivery.sent)
        for kind, each in ((Kind.MESSAGE, message), (Kind.DONE, done))
    ]


class Host:
    """An interface server as far as workers can see: events out, records in."""

    def __init__(self, layer: MemoryLayer) -> None:
        self.layer = layer
        self.mailbox: Receiver = layer.receiver(["host!"])
        self.records: list[Delivery] = []

    def emit(
        self,
        peer: str,
        *events: Content,
        channel: str = "websocket.receive",
        expiry: float | None = None,
    ) -> None:
        """Put events of a peer on the bus, in one record."""
        protocol = channel.partition(".")[0]
        envelope = encode_content(
            {
                "reply_channel": f"host!{peer}",
                "peer": f"{protocol}:{peer}",
                "protocol": protocol,
                "client": "192.0.2.1:5",
                "path": "/",
            }
        )
        self.layer.send_many(
            [
                Send(
                    channel,
                    envelope,
                    expiry,
                    events=tuple(encode_content(event) for event in events),
                    order=events[-1].get("order", 0),
                )
            ]
        )

    def collect(self) -> list[Delivery]:
        """Return all records so far."""
        for one in self.mailbox.take(1000, 0):
            self.records += apart(one)
        return self.records

    def wait_for(self, kind: Kind, count: int = 1) -> list[Any]:
        """Return the bodies of one kind, once there are `count`."""

        def found() -> list[Any]:
            return [one.body for one in self.collect() if one.kind is kind]

        wait_until(lambda: len(found()) >= count)
        return found()

    def replies(self, count: int) -> list[Content]:
        """Return what was sent to peers, once there are `count` replies."""
        self.wait_for(Kind.MESSAGE, count)
        return [one.content() for one in self.records if one.kind is Kind.MESSAGE]


@pytest.fixture
def layer() -> Iterator[MemoryLayer]:
    layer = MemoryLayer("memory://", LayerPolicy(capacity=lambda channel: 10_000))
    yield layer
    layer.close()


@pytest.fixture
def host(layer: MemoryLayer) -> Host:
    return Host(layer)


@pytest.fixture
def plugins() -> Plugins:
    names = ("websocket", "http")
    sections: dict[str, Any] = {f"tests.core.protocols.{name}": {} for name in names}
    return Plugins(Settings(plugins=sections))


@pytest.fixture
def make_worker(layer: MemoryLayer, plugins: Plugins) -> Iterator[MakeWorker]:
    """Make workers, and end those that were started."""
    workers: list[Worker] = []

    def make(routing: Routing, *, start: bool = True, **options: Any) -> Worker:
        worker = Worker(layer, Router(routing, plugins), plugins, **options)
        if start:
            worker.start()
            workers.append(worker)
        return worker

    yield make
    for worker in workers:
        worker.stop()
        worker.join(20)
