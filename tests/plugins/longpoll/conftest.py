"""Interface servers with http and longpoll on real sockets, and one consumer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fairway.core.bus import record
from fairway.core.bus.layer import ChannelLayer, LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.operations import Done, GroupAdd, GroupSend, Send
from fairway.core.content import decode_content, encode_content
from fairway.core.plugin.host import Site
from fairway.core.plugin.loading import Plugins
from fairway.core.settings import read_settings
from fairway.interfaces.server import InterfaceServer
from tests.support.loop import LoopThread, loop_thread, wait_until

from .poller import Poller

__all__ = ["Served", "loop_thread", "serve_polls"]

Message = dict[str, Any]
Consumer = Callable[["Served", Message], None]
CHANNELS = ("longpoll.connect", "longpoll.receive", "longpoll.disconnect")


def echo(served: Served, message: Message) -> None:
    """Accept everybody, into the group `all`, and send back what comes."""
    if message["channel"] == "longpoll.connect":
        served.join(message, "all")
        served.reply(message, accept=True)
    for key in ("text", "bytes"):
        if key in message:
            served.reply(message, **{key: message[key]})


class Served:
    """Running servers of one site, and the messages that its consumer saw."""

    def __init__(
        self,
        loop: LoopThread,
        consumer: Consumer,
        section: dict[str, Any],
        *,
        servers: int = 1,
        layer: ChannelLayer | None = None,
        **settings: Any,
    ) -> None:
        http = {"bind": ["tcp:0:interface=127.0.0.1"]}
        plugins = {"http": http, "longpoll": section}
        read = read_settings({"PLUGINS": plugins, **settings})
        policy = LayerPolicy(capacity=lambda _: 10_000)
        self.loop = loop
        self.layer = layer or MemoryLayer("memory://", policy)
        self.messages: list[Message] = []
        self._consumer = consumer
        site = Site(allowed_hosts=("127.0.0.1", "localhost"))
        self.servers = [
            InterfaceServer(self.layer, Plugins(read), read, site)
            for _ in range(servers)
        ]
        for server in self.servers:
            loop.run(server.start())
        self._receiver = self.layer.receiver(CHANNELS)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        self._pollers: list[Poller] = []

    @property
    def ports(self) -> list[int]:
        """Where the servers listen."""
        found: list[Any] = [server.protocols["http"] for server in self.servers]
        return [one.listeners[0].port for one in found]

    def protocol(self, number: int = 0) -> Any:
        """Return the running protocol of a server."""
        return self.servers[number].protocols["longpoll"]

    def poller(self, path: str = "/poll/", *, server: int = 0) -> Poller:
        """Return a client of one of the servers."""
        return self.poller_at(self.ports[server], path)

    def poller_at(self, port: int, path: str = "/poll/") -> Poller:
        """Return a client of a port."""
        self._pollers.append(Poller(port, path))
        return self._pollers[-1]

    def events(self, what: str) -> list[Message]:
        """Return the messages on a channel so far."""
        channel = f"longpoll.{what}"
        return [one for one in self.messages if one["channel"] == channel]

    def wait_for(self, what: str, count: int = 1) -> list[Message]:
        """Wait for so many messages on a channel."""
        wait_until(lambda: len(self.events(what)) >= count)
        return self.events(what)

    def reply(self, message: Message, **content: Any) -> None:
        self.layer.apply([Send(message["reply_channel"], encode_content(content))])

    def join(self, message: Message, group: str) -> None:
        self.layer.apply([GroupAdd(group, message["reply_channel"])])

    def broadcast(self, group: str, **content: Any) -> None:
        self.layer.apply([GroupSend(group, encode_content(content))])

    def dropped(self, channel: str, reason: str) -> int:
        """Return how many messages were dropped."""
        return self.layer.drops.counts().get((channel, reason), 0)

    def close(self) -> None:
        for poller in self._pollers:
            poller.close()
        self._stopped.set()
        self._receiver.wake()
        self._thread.join(20)
        for server in self.servers:
            self.loop.run(server.stop(0.0))
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
                    self._consumer(self, message)
                self.layer.apply([Done(shared["reply_channel"], body.order)])


@pytest.fixture
def serve_polls(loop_thread: LoopThread) -> Iterator[Callable[..., Served]]:
    """Return a function that starts servers with a consumer and a section."""
    running: list[Served] = []

    def start(
        consumer: Consumer = echo,
        *,
        servers: int = 1,
        layer: ChannelLayer | None = None,
        limits: dict[str, Any] | None = None,
        plugin_limits: dict[str, Any] | None = None,
        **section: Any,
    ) -> Served:
        settings = {"LIMITS": limits} if limits else {}
        if plugin_limits:
            section["limits"] = plugin_limits
        running.append(
            Served(
                loop_thread,
                consumer,
                section,
                servers=servers,
                layer=layer,
                **settings,
            )
        )
        return running[-1]

    yield start
    for served in running:
        served.close()
