"""An interface server with http and websocket on real sockets, and a consumer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fairway.core.bus import record
from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.operations import Done, GroupAdd, GroupSend, Send
from fairway.core.content import decode_content, encode_content
from fairway.core.plugin.host import Site
from fairway.core.plugin.loading import Plugins
from fairway.core.settings import read_settings
from fairway.interfaces.server import InterfaceServer
from tests.support.loop import LoopThread, loop_thread

__all__ = ["Served", "engine_name", "loop_thread", "serve_sockets"]

Consumer = Callable[["Bus", dict[str, Any]], None]

CHANNELS = ("websocket.connect", "websocket.receive", "websocket.disconnect")


class Bus:
    """What a consumer of these tests has: the layer, without Django."""

    def __init__(self, layer: MemoryLayer) -> None:
        self.layer = layer

    def reply(self, message: dict[str, Any], **content: Any) -> None:
        self.layer.apply([Send(message["reply_channel"], encode_content(content))])

    def join(self, message: dict[str, Any], group: str) -> None:
        self.layer.apply([GroupAdd(group, message["reply_channel"])])

    def broadcast(self, group: str, **content: Any) -> None:
        self.layer.apply([GroupSend(group, encode_content(content))])


class Served:
    """A running server, and the messages that its consumer saw."""

    def __init__(
        self, loop: LoopThread, consumer: Consumer, section: dict[str, Any]
    ) -> None:
        settings = read_settings(
            {
                "PLUGINS": {
                    "http": {"bind": ["tcp:0:interface=127.0.0.1"]},
                    "websocket": section,
                }
            }
        )
        self._loop = loop
        self._consumer = consumer
        self._plugins = Plugins(settings)
        self.layer = MemoryLayer("memory://", LayerPolicy(capacity=lambda _: 10_000))
        self.bus = Bus(self.layer)
        self.messages: list[dict[str, Any]] = []
        site = Site(allowed_hosts=("127.0.0.1", "localhost"))
        self._server = InterfaceServer(
            self.layer, self._plugins, self._plugins.settings, site
        )
        self._receiver = self.layer.receiver(CHANNELS)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        loop.run(self._server.start())
        self._thread.start()
        listeners: Any = self._server.protocols["http"]
        self.port: int = listeners.listeners[0].port

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"

    def events(self, channel: str) -> list[dict[str, Any]]:
        """Return the messages on a channel so far."""
        return [one for one in self.messages if one["channel"] == channel]

    def stop_server(self, grace: float) -> None:
        self._loop.run(self._server.stop(grace))

    def close(self) -> None:
        self._stopped.set()
        self._receiver.wake()
        self._thread.join(20)
        self.stop_server(0.1)
        self._receiver.close()
        self.layer.close()

    def _work(self) -> None:
        while not self._stopped.is_set():
            for delivery in self._receiver.take(64, 1.0):
                body = delivery.body
                assert isinstance(body, record.Event)
                shared = decode_content(bytes(body.envelope))
                for event in body.events:
                    message = {**shared, **decode_content(bytes(event))}
                    message["channel"] = delivery.channel
                    self.messages.append(message)
                    self._consumer(self.bus, message)
                self.layer.apply([Done(shared["reply_channel"], body.order)])


@pytest.fixture(scope="session", params=["lean", "autobahn"])
def engine_name(request: pytest.FixtureRequest) -> str:
    """Return each of the engines in turn."""
    name: str = request.param
    return name


@pytest.fixture
def serve_sockets(
    loop_thread: LoopThread, engine_name: str
) -> Iterator[Callable[..., Served]]:
    """Return a function that starts a server with a consumer and a section."""
    running: list[Served] = []

    def start(consumer: Consumer, **section: Any) -> Served:
        section["engine"] = engine_name
        running.append(Served(loop_thread, consumer, section))
        return running[-1]

    yield start
    for served in running:
        served.close()
