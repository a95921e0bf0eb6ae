"""Each hook, implemented by a real plugin of a real interface server and worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fairway.core.assembly import make_layer, make_policy
from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import Router, route
from fairway.core.plugin.loading import Plugins
from fairway.core.settings import read_settings
from fairway.core.worker import Worker
from tests.interfaces.rig import Rig
from tests.manual.plugins.every_hook import HEARD
from tests.support.loop import LoopThread, loop_thread
from tests.support.waiting import wait_until

__all__ = ["loop_thread"]

NAME = "tests.manual.plugins.every_hook"
LOOPBACK = ["tcp:0:interface=127.0.0.1"]


def shout(message: Message) -> None:
    if message.text == "fail":
        raise ValueError("a bug in a consumer")
    message.reply_channel.send({"text": f"{message.text.upper()}{'!' * 30}"})


class Site:
    """A running server and worker with the plugin."""

    def __init__(self, loop: LoopThread) -> None:
        plugins = {"http": {"bind": LOOPBACK}, NAME: {"bind": LOOPBACK}}
        policy = LayerPolicy(capacity=lambda channel: 100)
        self.loop = loop
        self.rig = Rig(loop, {"PLUGINS": plugins}, policy)
        self.plugins = self.rig.server.plugins
        router = Router([route("notes.receive", shout)], self.plugins)
        self.worker = Worker(self.rig.layer, router, self.plugins, threads=1)
        self._running = False

    def start(self) -> None:
        self._running = True
        self.loop.run(self.rig.server.start())
        self.worker.start()
        self.wait_for("worker_started")

    def stop(self) -> None:
        if self._running:
            self._running = False
            self.worker.stop(2.0)
            self.worker.join(20)
            self.loop.run(self.rig.server.stop(0.5))
            self.rig.layer.close()

    def talk(self, text: str, *, answered: bool = True) -> str:
        """Say something, and return the answer."""
        with self.rig.connect("notes") as client:
            client.sendall(text.encode())
            if answered:
                return client.recv(1_000).decode()
            self.wait_for("consumer_finished")
            return ""

    def wait_for(self, what: str) -> Any:
        """Return what was noted of a hook, once it was called."""
        wait_until(lambda: what in dict(HEARD))
        return dict(HEARD)[what]


@pytest.fixture
def site(loop_thread: LoopThread) -> Iterator[Site]:
    HEARD.clear()
    site = Site(loop_thread)
    site.start()
    yield site
    site.stop()


def load(*names: str) -> Plugins:
    return Plugins(read_settings({"PLUGINS": {name: {} for name in names}}))


def test_fairway_protocols(site: Site) -> None:
    assert "notes" in site.rig.server.protocols
    assert site.talk("hello").startswith("HELLO")


def test_fairway_channel_layers() -> None:
    plugins = load(NAME)
    policy = make_policy(plugins.settings, plugins)

    layer = make_layer("notes://", policy, plugins.channel_layers())

    assert isinstance(layer, MemoryLayer)
    layer.close()


def test_fairway_mounts(site: Site) -> None:
    with site.rig.connect("http") as client:
        client.sendall(
            b"GET /notes/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        answer = client.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"notes are taken")


def test_fairway_event_filters(site: Site) -> None:
    site.talk("a text of more than twenty letters")

    assert site.wait_for("consumer_started") == "a text of more than "


def test_fairway_reply_filters(site: Site) -> None:
    assert site.talk("hello") == "HELLO!!!!!!!!!!!!!!!"


def test_fairway_checks() -> None:
    assert load("http", NAME).checks() == []

    (found,) = load(NAME).checks()
    assert (found.id, found.level) == ("every_hook.W001", "warning")


def test_fairway_interface_started(site: Site) -> None:
    assert site.wait_for("interface_started") == "interface"


def test_fairway_interface_stopping(site: Site) -> None:
    assert "interface_stopping" not in dict(HEARD)

    site.stop()

    assert site.wait_for("interface_stopping") == 0.5


def test_fairway_worker_started(site: Site) -> None:
    assert site.wait_for("worker_started") == "embedded"  # in a thread of this process


def test_fairway_worker_stopping(site: Site) -> None:
    assert "worker_stopping" not in dict(HEARD)

    site.stop()

    assert site.wait_for("worker_stopping") == 2.0


def test_fairway_consumer_started(site: Site) -> None:
    site.talk("hello")

    assert site.wait_for("consumer_started") == "hello"


def test_fairway_consumer_finished(site: Site) -> None:
    site.talk("fail", answered=False)

    assert isinstance(site.wait_for("consumer_finished"), ValueError)


def test_fairway_consumer_failed(site: Site) -> None:
    site.talk("fail", answered=False)

    assert site.wait_for("consumer_failed") == "a bug in a consumer"


def test_fairway_plugin_failed(site: Site) -> None:
    assert site.talk("break the hook").startswith("BREAK")

    told = "fairway_consumer_started of every_hook: a bug in a hook"
    assert site.wait_for("plugin_failed") == told
