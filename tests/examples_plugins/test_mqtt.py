"""MQTT against a real broker: the conformance suite, topics, bounds."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fairway.core.drops import Drop
from fairway.core.exceptions import ConfigurationError
from fairway.core.plugin.loading import LoadedProtocol, Plugins, import_path
from fairway.core.settings import read_settings
from fairway.testing.plugin import PluginConformance
from fairway.testing.recording import RecordingHost
from tests.examples_plugins.mosquitto import Broker, Device, running_broker
from tests.support.processes import free_port

pytestmark = [pytest.mark.standard, pytest.mark.usefixtures("enabled")]

UP, DOWN = "devices/kitchen/up", "devices/kitchen/down"
CONNECT, PUBLISH, SUBSCRIBE = 0x10, 0x30, 0x80
"""Kinds of packets, in their first byte."""


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with running_broker() as broker:
        yield broker


class TestMqttConformance(PluginConformance):
    plugin = "mqtt"
    section: ClassVar[dict[str, Any]] = {}
    broker: ClassVar[Broker]

    @pytest.fixture(autouse=True)
    def with_broker(self, broker: Broker) -> None:
        type(self).broker = broker
        type(self).section = {"port": broker.port}

    async def converse(self, host: RecordingHost) -> None:
        await connected(host)
        before = host.protocol.figures()["heard"]
        await tell(self.broker, [(UP, b"21"), (UP, b"\xff"), ("devices/b/up", b"")])
        await until(lambda: host.protocol.figures()["heard"] == before + 3)

    async def arrive(self, host: RecordingHost) -> None:
        await connected(host)
        await tell(self.broker, [(UP, b"21")])
        await until(lambda: host.events)


async def until(predicate: Callable[[], object]) -> None:
    """Let the loop run until something is true."""
    async with asyncio.timeout(20):
        while not predicate():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def connected(host: RecordingHost) -> None:
    """Do the work that the protocol left to its host, until it is connected."""
    await host.settle()
    await until(lambda: host.reading_replies)


async def tell(broker: Broker, messages: list[tuple[str, bytes]]) -> None:
    def publish() -> None:
        with Device(broker) as device:
            for topic, payload in messages:
                device.publish(topic, payload)

    await asyncio.to_thread(publish)


def load(**section: Any) -> LoadedProtocol:
    settings = read_settings({"PLUGINS": {"mqtt": section}})
    return Plugins(settings).protocols["mqtt"]


def play(
    act: Callable[[RecordingHost], Awaitable[None]], **section: Any
) -> RecordingHost:
    """Start the plugin on a recording host, let `act` use it, and stop it."""
    loaded, host = load(**section), RecordingHost()

    async def run() -> None:
        made = import_path(loaded.spec.transports["twisted"])
        protocol = host.serve(made, loaded.config, loaded.spec)
        await protocol.start()
        assert not host.reading_replies
        await connected(host)
        await act(host)
        await protocol.stop(10.0)
        await host.cancel_work()

    asyncio.run(run())
    return host


def test_an_event_says_what_was_published_and_by_whom(broker: Broker) -> None:
    async def act(host: RecordingHost) -> None:
        await tell(broker, [("site/berlin/kitchen/up", b"21"), ("alarm", b"\xff\x00")])
        await until(lambda: len(host.events) == 2)

    host = play(act, port=broker.port, subscribe=["site/+/+/up", "alarm"])

    assert [(event.peer.id, event.content) for event in host.events if event.peer] == [
        (
            "mqtt:berlin/kitchen",
            {
                "text": "21",
                "topic": "site/berlin/kitchen/up",
                "qos": 1,
                "retain": False,
            },
        ),
        (
            "mqtt:alarm",
            {"bytes": b"\xff\x00", "topic": "alarm", "qos": 1, "retain": False},
        ),
    ]


def test_what_the_broker_retained_comes_to_a_server_that_shares_nothing(
    broker: Broker,
) -> None:
    with Device(broker) as device:
        device.publish("kept/a/up", "old", retain=True)

        async def act(host: RecordingHost) -> None:
            await until(lambda: host.events)

        section = {"subscribe": ["kept/+/up"], "port": broker.port}
        host = play(act, share="", **section)
        device.publish("kept/a/up", "", retain=True)

    assert [event.content["retain"] for event in host.events] == [True]


def test_replies_are_published_in_order_as_they_say(broker: Broker) -> None:
    async def act(host: RecordingHost) -> None:
        peer = host.open_peer(None, client="kitchen", key="kitchen")
        for number in range(500):
            host.deliver({"text": str(number)}, peer)
        host.deliver({"bytes": b"\xff", "topic": "other", "retain": True}, peer)

    with Device(broker, DOWN, "other") as device:
        play(act, port=broker.port)
        said = [device.heard.get(timeout=20) for _ in range(501)]

    assert [m.payload.decode() for m in said[:-1]] == [str(n) for n in range(500)]
    assert (said[-1].topic, said[-1].payload) == ("other", b"\xff")
    with Device(broker, "other") as late:
        assert late.heard.get(timeout=20).retain
        late.publish("other", "", retain=True)


def test_what_could_not_be_published_is_left_to_another_server() -> None:
    loaded = load(port=free_port())  # where no broker is
    host = RecordingHost()

    async def run() -> None:
        made = import_path(loaded.spec.transports["twisted"])
        protocol = host.serve(made, loaded.config, loaded.spec)
        await protocol.start()
        peer = host.open_peer(None, client="kitchen", key="kitchen")
        host.deliver({"text": "x"}, peer)
        await protocol.stop(1.0)
        await host.cancel_work()

    asyncio.run(run())

    assert host.returned == [("mqtt:kitchen", {"text": "x"})]


def sockets() -> set[str]:
    """Return the sockets of this process."""
    folder = Path("/proc/self/fd")
    links = {link.readlink().name for link in folder.iterdir() if link.is_symlink()}
    return {name for name in links if name.startswith("socket:")}


def stop_early(
    port: int, turns: int, act: Callable[[RecordingHost], Awaitable[None]]
) -> None:
    """Start the plugin, let `act` use it, stop it some turns of the loop later."""
    loaded, host = load(port=port), RecordingHost()

    async def run() -> None:
        made = import_path(loaded.spec.transports["twisted"])
        protocol = host.serve(made, loaded.config, loaded.spec)
        await protocol.start()
        await act(host)
        for _ in range(turns):
            await asyncio.sleep(0)
        await protocol.stop(0.5)
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})

    asyncio.run(run())


def test_it_stops_at_any_moment_while_its_connection_breaks() -> None:
    before = sockets()
    with running_broker() as broker:

        async def end(host: RecordingHost) -> None:
            await connected(host)
            broker.end()

        # From before the loop reads of the end until it waits to connect again.
        for turns in range(2, 10):
            stop_early(broker.port, turns, end)
            broker.start()

    assert sockets() == before


def test_it_stops_at_any_moment_while_it_connects(broker: Broker) -> None:
    before = sockets()

    beginning: list[asyncio.Task[None]] = []

    async def begin(host: RecordingHost) -> None:
        beginning.append(asyncio.create_task(host.settle()))

    for turns in (*range(2, 10), 20, 50, 100, 200, 400):
        stop_early(broker.port, turns, begin)

    assert sockets() == before


def play_with_breaks(
    kinds: list[int], act: Callable[[RecordingHost, list[int]], Awaitable[None]]
) -> RecordingHost:
    """Play where the broker answers packets of these kinds until it cuts at the last.

    Args:
        act: is given what kinds of packets have come so far, of all connections.
    """
    host, came = RecordingHost(), list[int]()

    async def accept(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        for kind in kinds:
            packet = await reader.read(1000)
            if not packet or packet[0] & 0xF0 != kind:  # the plugin leaves
                break
            came.append(kind)
            if kind == CONNECT:
                writer.write(b"\x20\x02\x00\x00")
            elif kind != kinds[-1]:  # SUBSCRIBE
                writer.write(b"\x90\x03" + packet[2:4] + b"\x01")
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
            loaded = load(port=server.sockets[0].getsockname()[1])
            made = import_path(loaded.spec.transports["twisted"])
            protocol = host.serve(made, loaded.config, loaded.spec)
            await protocol.start()
            await host.settle()
            await act(host, came)
            await protocol.stop(0.5)

    asyncio.run(run())
    return host


def test_it_connects_again_where_its_connection_breaks_as_it_subscribes() -> None:
    async def act(host: RecordingHost, came: list[int]) -> None:
        await until(lambda: came.count(SUBSCRIBE) == 2)

    play_with_breaks([CONNECT, SUBSCRIBE], act)


def test_a_reply_that_was_on_its_way_as_the_connection_broke_is_counted() -> None:
    async def act(host: RecordingHost, came: list[int]) -> None:
        await until(lambda: host.reading_replies)
        peer = host.open_peer(None, client="kitchen", key="kitchen")
        host.deliver({"text": "x", "qos": 1}, peer)
        await until(lambda: came.count(CONNECT) == 2)

    host = play_with_breaks([CONNECT, SUBSCRIBE, PUBLISH], act)

    assert [drop.reason for drop in host.drops] == [Drop.UNKNOWN]


def test_no_more_replies_are_taken_than_wait_for_the_broker(broker: Broker) -> None:
    seen = []

    async def act(host: RecordingHost) -> None:
        peer = host.open_peer(None, client="kitchen", key="kitchen")
        for _ in range(256):
            assert host.reading_replies
            host.deliver({"text": "x"}, peer)
        seen.append(host.reading_replies)
        await until(lambda: host.reading_replies)

    play(act, port=broker.port)

    assert seen == [False]


def test_a_reply_that_no_broker_takes_is_counted(broker: Broker) -> None:
    async def act(host: RecordingHost) -> None:
        peer = host.open_peer(None, client="kitchen", key="kitchen")
        for content in (
            {"text": "x", "topic": "a/#"},
            {"text": "x", "topic": "a\0"},
            {"text": "x", "qos": 3},
            {"text": 5},
        ):
            host.deliver(content, peer)
        host.deliver({"text": "still there"}, peer)

    with Device(broker, DOWN) as device:
        host = play(act, port=broker.port)
        heard = device.hear()

    assert heard == "still there"
    assert [drop.reason for drop in host.drops] == [Drop.UNSUPPORTED] * 4


def test_names_that_no_channel_can_have_are_counted(broker: Broker) -> None:
    async def act(host: RecordingHost) -> None:
        await tell(broker, [(f"devices/{'x' * 200}/up", b""), (UP, b"")])
        await until(lambda: host.events)

    host = play(act, port=broker.port)

    assert len(host.events) == 1
    assert [drop.reason for drop in host.drops] == [Drop.LIMIT]


@pytest.mark.parametrize(
    ("pattern", "topic", "device"),
    [
        ("devices/+/up", "devices/a/up", "a"),
        ("devices/+/up", "devices//up", "devices//up"),
        ("devices/+/up", "devices/a/b/up", None),
        ("devices/+/up", "devices/a", None),
        ("devices/+/up", "devices/a/up/x", None),
        ("+/+", "a/b", "a/b"),
        ("a/#", "a/b/c", "b/c"),
        ("a/#", "a", "a"),
        ("#", "a/b", "a/b"),
        ("alarm", "alarm", "alarm"),
        ("alarm", "Alarm", None),
    ],
)
def test_the_wildcards_name_the_device(
    pattern: str, topic: str, device: str | None
) -> None:
    topics = importlib.import_module("fairway_mqtt.topics")

    assert topics.device(pattern, topic) == device


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"subscribe": ["#"]}, "our own replies"),
        ({"subscribe": ["devices/+/+"]}, "our own replies"),
        ({"publish": "devices/down"}, "publish"),
        ({"publish": "devices/{}/#"}, "publish"),
        ({"share": "a/b"}, "share"),
        ({"qos": 3}, "qos"),
        ({"concurrency": 0}, "concurrency"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    section: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        load(**section)
