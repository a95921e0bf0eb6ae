"""Two interface servers over one Redis: each text once, each number in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.redis.layer import RedisLayer
from fairway.core.consumer.conversation import Conversation
from fairway.core.consumer.routing import Router, route_class
from fairway.core.content import encode_content
from fairway.core.names import shared_channel
from fairway.core.plugin.host import Site
from fairway.core.plugin.loading import Plugins
from fairway.core.settings import read_settings
from fairway.core.worker import Worker
from fairway.interfaces.server import InterfaceServer
from fairway.plugins.sms import memory
from fairway.plugins.sms.memory import MemoryProvider
from fairway.plugins.sms.provider import Outgoing, Sent
from tests.support.loop import LoopThread, wait_until

pytestmark = [pytest.mark.standard, pytest.mark.usefixtures("sessions")]

ANN, BOB = "+46701111111", "+46702222222"
SECTION = {
    "provider": f"{__name__}.Leisurely",
    "sender": ["+46700000000"],
    "outbox_per_number": 1_000,
    "segments_per_minute": 100_000,
    "daily_budget": None,
}


class Leisurely(MemoryProvider):
    """A vendor that takes its time."""

    async def send(self, message: Outgoing) -> Sent:
        await asyncio.sleep(0.06)
        return await super().send(message)


class Sum(Conversation):
    def connected(self) -> None:
        self.reply("Numbers, please.")

    def received(self) -> None:
        self.state["sum"] = self.state.get("sum", 0) + int(self.message.text)
        self.reply(str(self.state["sum"]))


class Servers:
    """Servers of one site, each with a connection of its own to the bus."""

    def __init__(self, loop: LoopThread, url: str, stack: ExitStack) -> None:
        self.loop = loop
        self.plugins = Plugins(read_settings({"PLUGINS": {"sms": SECTION}}))
        self.layer = self._layer(url)
        stack.callback(self.layer.close)
        self.servers = [self._server(url, stack) for _ in range(2)]

    def carrier(self) -> InterfaceServer:
        """Return the server that carries replies, once one does."""
        found: list[InterfaceServer] = []

        def look() -> bool:
            found[:] = [one for one in self.servers if _carries(one)]
            return bool(found)

        wait_until(look)
        (carrier,) = found
        return carrier

    def send(self, number: str, text: str) -> None:
        channel = shared_channel("sms", number)
        self.layer.send(channel, encode_content({"text": text}))

    def _layer(self, url: str) -> RedisLayer:
        return RedisLayer(url, LayerPolicy(capacity=lambda channel: 10_000))

    def _server(self, url: str, stack: ExitStack) -> InterfaceServer:
        layer = self._layer(url)
        stack.callback(layer.close)
        server = InterfaceServer(layer, self.plugins, self.plugins.settings, Site())
        self.loop.run(server.start())
        stack.callback(lambda: self.loop.run(server.stop(0.5)))
        return server


def _carries(server: InterfaceServer) -> bool:
    (host,) = server._hosts
    return host.shared is not None and host.shared.carries


@pytest.fixture
def site(loop_thread: LoopThread, redis_url: str) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(loop_thread, redis_url, stack)


@contextmanager
def working(site: Servers, *routes: Any) -> Iterator[None]:
    worker = Worker(site.layer, Router(list(routes), site.plugins), site.plugins)
    worker.start()
    try:
        yield
    finally:
        worker.stop()
        worker.join(20)


def test_a_text_that_comes_to_two_servers_is_one_event(site: Servers) -> None:
    vendors = list(memory.running)
    assert len(vendors) == 2

    async def hand_in() -> list[bool]:
        return await asyncio.gather(
            *(one.text(ANN, "hello", id="7") for one in vendors * 5),
            *(one.report("8", ANN, "delivered") for one in vendors * 5),
        )

    assert all(site.loop.run(hand_in()))
    depth = site.layer.statistics(["sms.receive", "sms.status"])
    assert {name: one.waiting for name, one in depth.items()} == {
        "sms.receive": 1,
        "sms.status": 1,
    }


def test_another_server_carries_on_in_order(site: Servers) -> None:
    first = site.carrier()
    for index in range(30):
        for number in (ANN, BOB):
            site.send(number, str(index))
    wait_until(lambda: len(memory.outbox) > 1)

    stopping = asyncio.run_coroutine_threadsafe(first.stop(10.0), site.loop.loop)
    for index in range(30, 35):
        for number in (ANN, BOB):
            site.send(number, str(index))
    stopping.result(20)
    site.servers.remove(first)

    wait_until(lambda: len(memory.outbox) >= 70)
    for number in (ANN, BOB):
        texts = [message.text for message in memory.outbox if message.to == number]
        assert texts == [str(index) for index in range(35)]


def test_a_conversation_goes_on_through_any_server(site: Servers) -> None:
    with working(site, route_class(Sum)):
        for index, vendor in enumerate([*memory.running, *memory.running]):
            assert site.loop.run(vendor.text(ANN, "5"))
            wait_until(lambda: len(memory.outbox) >= index + 2)  # noqa: B023

    assert [message.text for message in memory.outbox] == [
        "Numbers, please.",
        "5",
        "10",
        "15",
        "20",
    ]
