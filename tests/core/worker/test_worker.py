"""Worker: order, neighbours, stopping, expiry, signs of life, faults."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import defaultdict
from typing import Any

import pytest

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.operations import Send
from fairway.core.bus.record import Kind
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import Router, route
from fairway.core.content import encode_content
from fairway.core.drops import Drop
from fairway.core.exceptions import ConfigurationError
from fairway.core.plugin.hookspecs import ProcessInfo, hookimpl
from fairway.core.plugin.loading import Plugins
from fairway.core.settings import Settings
from fairway.core.worker import Worker
from tests.core.worker.conftest import Host, MakeWorker
from tests.support.waiting import wait_until


def echo(message: Message) -> None:
    message.reply_channel.send({"text": message.text})


ECHO = [route("websocket.receive", echo)]


def waiting(layer: MemoryLayer) -> int:
    return layer.statistics(["websocket.receive"])["websocket.receive"].waiting


class Gate:
    """A consumer that waits until it is opened."""

    def __init__(self) -> None:
        self.inside = 0
        self._open = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, message: Message) -> None:
        with self._lock:
            self.inside += 1
        self._open.wait(20)
        message.reply_channel.send({"text": "through"})

    def open(self) -> None:
        self._open.set()


def test_a_message_is_consumed_and_its_host_hears_that_it_is_done(
    make_worker: MakeWorker, host: Host
) -> None:
    make_worker(ECHO)

    host.emit("ada", {"order": 4, "text": "a"}, {"order": 5, "text": "b"})

    [done] = host.wait_for(Kind.DONE)
    assert (done.local, done.order, done.state) == ("ada", 5, None)
    assert [record.kind for record in host.records] == [
        Kind.MESSAGE,
        Kind.MESSAGE,
        Kind.DONE,
    ]
    assert host.replies(2) == [{"text": "a"}, {"text": "b"}]


def test_the_events_of_a_record_are_consumed_in_order_and_never_two_at_once(
    make_worker: MakeWorker, host: Host
) -> None:
    orders: dict[str, list[int]] = defaultdict(list)
    threads: dict[str, set[int]] = defaultdict(set)

    def note(message: Message) -> None:
        assert message.peer is not None
        assert message.order is not None
        orders[message.peer].append(message.order)
        threads[message.peer].add(threading.get_ident())
        time.sleep(0)

    make_worker([route("websocket.receive", note)])

    for peer in range(20):
        host.emit(str(peer), *[{"order": n, "text": "x"} for n in range(16)])
    host.wait_for(Kind.DONE, 20)

    assert all(order == list(range(16)) for order in orders.values())
    assert all(len(used) == 1 for used in threads.values())


def test_a_fast_consumer_does_not_notice_seven_that_wait(
    make_worker: MakeWorker, host: Host
) -> None:
    gate = Gate()
    make_worker(
        [
            route("websocket.receive", gate, text="^wait$"),
            route("websocket.receive", echo),
        ]
    )
    for peer in range(7):
        host.emit(f"slow{peer}", {"order": 0, "text": "wait"})
    wait_until(lambda: gate.inside == 7)

    for n in range(50):
        host.emit(f"fast{n}", {"order": 0, "text": str(n)})

    assert {reply["text"] for reply in host.replies(50)} == {str(n) for n in range(50)}
    gate.open()
    host.replies(57)


def test_a_busy_worker_leaves_messages_to_others(
    make_worker: MakeWorker, host: Host, layer: MemoryLayer
) -> None:
    gate = Gate()
    make_worker([route("websocket.receive", gate)], threads=2)
    for n in range(100):
        host.emit(str(n), {"order": 0, "text": "x"})

    wait_until(lambda: gate.inside == 2)

    assert waiting(layer) >= 90
    gate.open()
    host.wait_for(Kind.DONE, 100)


def test_stopping_under_load_loses_nothing_that_was_taken(
    make_worker: MakeWorker, host: Host, layer: MemoryLayer
) -> None:
    started = threading.Event()

    def note(message: Message) -> None:
        started.set()
        echo(message)

    routing = [route("websocket.receive", note)]
    worker = make_worker(routing)
    for n in range(2000):
        host.emit(str(n), {"order": 0, "text": str(n)})
    started.wait(20)

    worker.stop(20)
    worker.join(20)
    left = waiting(layer)
    done = host.wait_for(Kind.DONE, 2000 - left)

    assert len(done) == 2000 - left
    make_worker(routing)
    assert len(host.wait_for(Kind.DONE, 2000)) == 2000
    assert len({reply["text"] for reply in host.replies(2000)}) == 2000


def test_an_idle_worker_stops_at_once(make_worker: MakeWorker) -> None:
    worker = make_worker(ECHO)
    wait_until(lambda: worker.ready)

    worker.stop(20)
    worker.join(20)

    assert not worker.ready


def test_signs_of_life_come_at_once_for_a_record_that_is_short_of_time(
    make_worker: MakeWorker, host: Host
) -> None:
    gate = Gate()
    make_worker([route("websocket.receive", gate)])

    host.emit("ada", {"order": 9, "text": "x"}, expiry=5)

    [busy] = host.wait_for(Kind.BUSY)
    assert (busy.local, busy.order) == ("ada", 9)
    gate.open()
    host.wait_for(Kind.DONE)


def test_a_worker_proves_that_messages_arrive(make_worker: MakeWorker) -> None:
    worker = make_worker(ECHO, start=False)
    assert not worker.ready

    started = make_worker(ECHO)

    wait_until(lambda: started.ready)


@pytest.mark.parametrize(
    "broken",
    [
        b"\xc1",
        encode_content({"no": "reply channel"}),
    ],
)
def test_a_record_that_cannot_be_read_is_counted_and_the_worker_goes_on(
    make_worker: MakeWorker, host: Host, layer: MemoryLayer, broken: bytes
) -> None:
    make_worker(ECHO)

    layer.send_many([Send("websocket.receive", broken, events=(b"\x80",))])
    host.emit("ada", {"order": 0, "text": "a"})

    assert host.replies(1) == [{"text": "a"}]
    assert layer.drops.counts()[("websocket.receive", Drop.INVALID)] == 1


def test_a_request_owes_no_sign_of_its_end(
    make_worker: MakeWorker, host: Host, layer: MemoryLayer
) -> None:
    make_worker([])

    layer.send(
        "http.request",
        encode_content({"reply_channel": "host!1", "protocol": "http", "path": "/"}),
    )

    assert host.replies(1) == [{"status": 200, "content": b"a page"}]
    assert [record.kind for record in host.collect()] == [Kind.MESSAGE]


class FaultyLayer(MemoryLayer):
    """A layer of a third party with a bug."""

    bomb = b""

    def apply(self, operations: Any, timeout: float = 5.0) -> Any:
        if any(getattr(one, "content", None) == self.bomb for one in operations):
            raise RuntimeError("a bug in the layer")
        return super().apply(operations, timeout)


BOMB = encode_content({"text": "bomb"})
CANARY = encode_content({})


@pytest.fixture
def faulty(plugins: Plugins) -> FaultyLayer:
    return FaultyLayer("memory://", LayerPolicy())


@pytest.mark.parametrize("bomb", [BOMB, CANARY])
def test_a_fault_that_is_no_consumers_ends_the_worker_loudly(
    faulty: FaultyLayer, plugins: Plugins, bomb: bytes
) -> None:
    faulty.bomb = bomb
    worker = Worker(faulty, Router(ECHO, plugins), plugins)
    Host(faulty).emit("ada", {"order": 0, "text": "bomb"})

    with pytest.raises(RuntimeError, match="a bug in the layer"):
        worker.run()


def test_an_embedded_worker_tells_of_its_fault(
    faulty: FaultyLayer, plugins: Plugins, caplog: pytest.LogCaptureFixture
) -> None:
    faulty.bomb = BOMB
    told: list[BaseException] = []
    worker = Worker(faulty, Router(ECHO, plugins), plugins)
    Host(faulty).emit("ada", {"order": 0, "text": "bomb"})

    worker.start(told.append)

    with pytest.raises(RuntimeError, match="a bug in the layer"):
        worker.join(20)
    assert [str(error) for error in told] == ["a bug in the layer"]
    assert caplog.records[-1].levelno == logging.CRITICAL


def test_the_interpreter_switches_faster_while_a_worker_of_its_own_runs(
    make_worker: MakeWorker, host: Host
) -> None:
    seen: list[float] = []
    worker = make_worker(
        [route("websocket.receive", lambda m: seen.append(sys.getswitchinterval()))],
        start=False,
    )
    before = sys.getswitchinterval()
    thread = threading.Thread(target=worker.run)
    thread.start()

    host.emit("ada", {"order": 0, "text": "x"})
    host.wait_for(Kind.DONE)
    worker.stop(20)
    thread.join(20)

    assert seen == [pytest.approx(0.0005)]
    assert sys.getswitchinterval() == before


def test_only_a_consumer_that_may_be_long_makes_threads_take_turns_quickly(
    make_worker: MakeWorker, host: Host
) -> None:
    """In a process of several threads' own: the first run, and all that is long."""
    seen: list[float] = []

    def consume(message: Message) -> None:
        seen.append(sys.getswitchinterval())
        time.sleep(float(message.text))

    make_worker([route("websocket.receive", consume)], long_interval=0.002)
    before = sys.getswitchinterval()
    for order, seconds in enumerate(["0", "0", *["0.01"] * 5, "0"]):
        host.emit("ada", {"order": order, "text": seconds})
        host.wait_for(Kind.DONE, order + 1)

    quick = pytest.approx(0.002)
    assert [seen[0], seen[1], seen[-1]] == [quick, before, quick]
    assert sys.getswitchinterval() == before


def test_a_pool_listens_to_its_channels_only(make_worker: MakeWorker) -> None:
    worker = make_worker(
        ECHO, start=False, only=["websocket.*"], exclude=["*.disconnect"]
    )

    assert worker.channels == ["websocket.connect", "websocket.receive"]


def test_a_pool_without_a_channel_is_an_error(make_worker: MakeWorker) -> None:
    with pytest.raises(ConfigurationError, match=r"leave none of websocket\.connect"):
        make_worker(ECHO, start=False, only=["websockets.*"])


class Listener:
    """A plugin that hears everything."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    @hookimpl
    def fairway_worker_started(self, process: ProcessInfo) -> None:
        self.heard.append(("worker started", process.role))

    @hookimpl
    def fairway_worker_stopping(self, process: ProcessInfo, grace: float) -> None:
        self.heard.append(("worker stopping", grace))

    @hookimpl
    def fairway_consumer_started(
        self, channel: str, content: dict[str, Any], peer: str
    ) -> None:
        self.heard.append(("consumer started", channel, content["text"], peer))

    @hookimpl
    def fairway_consumer_finished(
        self, channel: str, peer: str, error: Exception | None
    ) -> None:
        self.heard.append(("consumer finished", channel, peer, type(error)))
        raise RuntimeError("a plugin's own fault")

    @hookimpl
    def fairway_consumer_failed(
        self, content: dict[str, Any], peer: str, exception: Exception
    ) -> None:
        assert sys.exc_info()[1] is exception
        self.heard.append(("consumer failed", content["text"], peer, type(exception)))

    @hookimpl
    def fairway_plugin_failed(
        self, plugin: str, hook: str, exception: Exception
    ) -> None:
        self.heard.append(("plugin failed", plugin, hook, type(exception)))
        raise RuntimeError("even here")


def test_plugins_hear_what_happens(layer: MemoryLayer, host: Host) -> None:
    def fail(message: Message) -> None:
        raise ValueError

    listener = Listener()
    plugins = Plugins(
        Settings(plugins={"tests.core.protocols.websocket": {}}),
        {"listener": listener},
    )
    worker = Worker(layer, Router([route("*.receive", fail)], plugins), plugins)
    worker.start()

    host.emit("ada", {"order": 0, "text": "x"})
    host.wait_for(Kind.DONE)
    worker.stop(20)
    worker.join(20)

    assert listener.heard == [
        ("worker started", "embedded"),
        ("consumer started", "websocket.receive", "x", "websocket:ada"),
        ("consumer failed", "x", "websocket:ada", ValueError),
        ("consumer finished", "websocket.receive", "websocket:ada", ValueError),
        ("plugin failed", "listener", "fairway_consumer_finished", RuntimeError),
        ("worker stopping", 20),
    ]


def test_the_reporter_of_the_docs_tells_the_consumer_and_its_peer(
    layer: MemoryLayer, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: Message) -> None:
        raise ValueError("no secrets here")

    enabled: dict[str, dict[str, Any]] = {
        "tests.core.protocols.websocket": {},
        "tests.core.worker.reporter": {},
    }
    plugins = Plugins(Settings(plugins=enabled))
    worker = Worker(layer, Router([route("*.receive", fail)], plugins), plugins)
    worker.start()

    host.emit("ada", {"order": 0, "text": "x"})
    host.wait_for(Kind.DONE)
    worker.stop(20)
    worker.join(20)

    [record] = [one for one in caplog.records if one.name == "errors"]
    assert record.__dict__["peer"] == "websocket:ada"
    assert record.__dict__["channel"] == "websocket.receive"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ValueError)
