"""Both loops: how threads share messages. One suite, so that either may be chosen."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import Any

import pytest

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.operations import Outcome
from fairway.core.bus.record import Kind
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import route
from fairway.core.worker import Worker
from fairway.core.worker.crew import CrewLoop
from fairway.core.worker.loop import Loop
from fairway.core.worker.queueing import QueueLoop
from tests.core.worker.conftest import Host, MakeWorker
from tests.support.waiting import wait_until

CHANNEL = "websocket.receive"
WARM = 200
"""Messages after which a worker knows that a consumer is short."""


@pytest.fixture(params=[QueueLoop, CrewLoop])
def make(request: pytest.FixtureRequest, make_worker: MakeWorker) -> MakeWorker:
    loop: type[Loop] = request.param

    def make(routes: Any, **options: Any) -> Worker:
        return make_worker(routes, loop=loop, **options)

    return make


class Gates:
    """A consumer that echoes; texts that begin with `wait` wait until they may pass."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.done: list[str] = []
        self._open: dict[str, threading.Event] = defaultdict(threading.Event)
        self._all = threading.Event()

    def __call__(self, message: Message) -> None:
        if message.text.startswith("wait"):
            self.inside.append(message.text)
            while not self._all.is_set() and not self._open[message.text].wait(0.01):
                pass
        self.done.append(message.text)
        message.reply_channel.send({"text": message.text})

    def open(self, text: str | None = None) -> None:
        (self._all if text is None else self._open[text]).set()

    @property
    def routes(self) -> list[Any]:
        return [route(CHANNEL, self)]


def emit(host: Host, *texts: str) -> None:
    for text in texts:
        host.emit(text, {"order": 0, "text": text})


def replies(host: Host, count: int) -> set[str]:
    return {reply["text"] for reply in host.replies(count)}


def waiting(layer: MemoryLayer) -> int:
    return layer.statistics([CHANNEL])[CHANNEL].waiting


def numbers(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def warm(host: Host) -> None:
    emit(host, *numbers("warm", WARM))
    host.replies(WARM)


def test_the_events_of_a_record_stay_in_order_and_in_one_thread(
    make: MakeWorker, host: Host
) -> None:
    orders: dict[str, list[int]] = defaultdict(list)
    threads: dict[str, set[int]] = defaultdict(set)

    def note(message: Message) -> None:
        assert message.peer is not None
        assert message.order is not None
        orders[message.peer].append(message.order)
        threads[message.peer].add(threading.get_ident())
        if message.order % 7 == 0:
            time.sleep(0.003)

    make([route(CHANNEL, note)])

    for peer in range(30):
        host.emit(str(peer), *[{"order": n, "text": "x"} for n in range(16)])
    host.wait_for(Kind.DONE, 30)

    assert all(order == list(range(16)) for order in orders.values())
    assert all(len(used) == 1 for used in threads.values())


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("slow", [1, 4, 7])
def test_slow_consumers_do_not_hold_fast_ones(
    make: MakeWorker, host: Host, slow: int, known: bool
) -> None:
    gates = Gates()
    make(gates.routes)
    if known:
        warm(host)

    emit(host, *numbers("wait", slow))
    wait_until(lambda: len(gates.inside) == slow)
    emit(host, *numbers("fast", 200))

    wait_until(lambda: len(gates.done) >= 200)
    assert set(numbers("fast", 200)) <= replies(host, 200 + WARM * known)
    gates.open()
    host.wait_for(Kind.DONE, 200 + slow + WARM * known)


def test_what_was_taken_with_a_slow_one_does_not_wait_for_it(
    make: MakeWorker, host: Host, layer: MemoryLayer
) -> None:
    gates = Gates()
    make(gates.routes)
    warm(host)

    for number in range(7):
        emit(host, f"wait{number}", *numbers(f"fast{number}-", 10))

    wait_until(lambda: len(gates.inside) == 7)
    assert len(replies(host, WARM + 70)) == WARM + 70
    gates.open()
    host.wait_for(Kind.DONE, WARM + 77)


@pytest.mark.standard
def test_a_reply_that_is_ready_leaves_while_the_next_consumer_runs(
    make: MakeWorker, host: Host
) -> None:
    gates = Gates()
    make(gates.routes, threads=1)
    warm(host)
    host.emit("ada", {"order": 0, "text": "first"}, {"order": 1, "text": "wait"})

    if_ready = replies(host, WARM + 1)

    assert "first" in if_ready
    assert gates.inside == ["wait"]
    gates.open()
    host.wait_for(Kind.DONE, WARM + 1)


def test_a_busy_process_leaves_messages_to_others(
    make: MakeWorker, host: Host, layer: MemoryLayer
) -> None:
    first, second = Gates(), Gates()
    make(first.routes, threads=2)
    emit(host, *numbers("wait", 2))
    wait_until(lambda: len(first.inside) == 2)
    emit(host, *numbers("more", 50))
    second_worker = make(second.routes, threads=2)

    wait_until(lambda: len(second.done) >= 46)

    wait_until(lambda: waiting(layer) == 0)
    first.open()
    assert len(replies(host, 52)) == 52
    assert second_worker.ready


def test_all_threads_consume_at_once_and_no_more(
    make: MakeWorker, host: Host, layer: MemoryLayer
) -> None:
    gates = Gates()
    make(gates.routes, threads=3)

    emit(host, *numbers("wait", 20))
    wait_until(lambda: len(gates.inside) == 3)
    time.sleep(0.05)

    assert len(gates.inside) == 3
    assert waiting(layer) >= 20 - 6
    gates.open()
    host.wait_for(Kind.DONE, 20)


def test_one_thread_consumes_one_at_a_time(make: MakeWorker, host: Host) -> None:
    inside: list[int] = []

    def note(message: Message) -> None:
        inside.append(1)
        assert len(inside) == 1
        time.sleep(0.004 if message.text == "slow" else 0)
        inside.pop()
        message.reply_channel.send({"text": "alone"})

    make([route(CHANNEL, note)], threads=1)
    warm(host)

    for number in range(50):
        host.emit(f"p{number}", {"order": 0, "text": "slow" if number % 5 else "fast"})

    assert replies(host, WARM + 50) == {"alone"}


def test_threads_that_wait_for_something_else_wait_at_the_same_time(
    make: MakeWorker, host: Host
) -> None:
    together = threading.Barrier(4)

    def meet(message: Message) -> None:
        if message.text.startswith("meet"):
            together.wait(20)
        message.reply_channel.send({"text": message.text})

    make([route(CHANNEL, meet)], threads=4)
    warm(host)

    for batch in range(10):
        emit(host, *numbers(f"meet{batch}-", 4))

    assert len(replies(host, WARM + 40)) == WARM + 40


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_stopping_under_load_loses_nothing(
    make: MakeWorker, host: Host, layer: MemoryLayer, threads: int
) -> None:
    gates = Gates()
    worker = make(gates.routes, threads=threads)
    emit(host, *numbers("x", 1500))
    wait_until(lambda: len(gates.done) > 20)

    worker.stop(20)
    worker.join(20)

    left = waiting(layer)
    host.wait_for(Kind.DONE, 1500 - left)
    assert len(gates.done) == 1500 - left
    make(gates.routes)
    assert len(replies(host, 1500)) == 1500
    assert sorted(gates.done) == sorted(numbers("x", 1500))


def test_what_has_not_begun_when_the_grace_is_over_is_given_up(
    make: MakeWorker, host: Host, layer: MemoryLayer
) -> None:
    gates = Gates()
    worker = make(gates.routes, threads=1)
    warm(host)
    emit(host, "wait0")
    wait_until(lambda: gates.inside == ["wait0"])
    emit(host, "wait1", "late")
    gates.open("wait0")
    wait_until(lambda: gates.inside == ["wait0", "wait1"] and not waiting(layer))

    worker.stop(0.05)
    worker.join(20)

    [lost] = host.wait_for(Kind.LOST)
    assert lost.local == "late"
    gates.open()


def test_a_worker_of_which_all_threads_are_busy_stops_after_its_grace(
    make: MakeWorker, host: Host
) -> None:
    gates = Gates()
    worker = make(gates.routes, threads=2)
    emit(host, *numbers("wait", 2))
    wait_until(lambda: len(gates.inside) == 2)

    worker.stop(0.05)
    worker.join(20)

    gates.open()


def test_a_busy_worker_takes_again_when_a_thread_is_free(
    make: MakeWorker, host: Host
) -> None:
    gates = Gates()
    make(gates.routes, threads=2)
    emit(host, *numbers("wait", 2))
    wait_until(lambda: len(gates.inside) == 2)
    emit(host, *numbers("fast", 20))

    gates.open("wait0")

    assert replies(host, 21) >= {"wait0", *numbers("fast", 20)}
    gates.open()


def test_signs_of_life_come_from_a_thread_that_is_busy(
    make: MakeWorker, host: Host
) -> None:
    gates = Gates()
    make(gates.routes)

    host.emit("ada", {"order": 3, "text": "wait"}, expiry=5)

    [busy] = host.wait_for(Kind.BUSY)
    assert (busy.local, busy.order) == ("ada", 3)
    gates.open()


class _Faulty(MemoryLayer):
    """A layer with a fault of its own."""

    def __init__(self) -> None:
        super().__init__("memory://", LayerPolicy())
        self.sound = True

    def apply(self, operations: Any, timeout: float = 5.0) -> list[Outcome]:
        if not self.sound:
            raise RuntimeError("not the consumer's")
        return super().apply(operations, timeout)


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize("loop", [QueueLoop, CrewLoop])
def test_what_is_not_the_consumers_ends_the_worker_loudly(
    plugins: Any, loop: type[Loop], threads: int
) -> None:
    from fairway.core.consumer.routing import Router

    layer = _Faulty()
    gates = Gates()
    router = Router(gates.routes, plugins)
    worker = Worker(layer, router, plugins, loop=loop, threads=threads)
    failed: list[BaseException] = []
    worker.start(failed.append)
    Host(layer).emit("ada", {"order": 0, "text": "wait"})
    wait_until(lambda: gates.inside)

    layer.sound = False
    gates.open()

    wait_until(lambda: failed)
    with pytest.raises(RuntimeError, match="not the consumer's"):
        worker.join(20)
    layer.close()


@pytest.mark.parametrize("loop", [QueueLoop, CrewLoop])
def test_a_mix_of_everything_is_consumed_once_each(
    make_worker: MakeWorker, host: Host, loop: type[Loop]
) -> None:
    def mixed(message: Message) -> None:
        number = int(message.text)
        if number % 11 == 0:
            time.sleep(0.006)
        elif number % 5 == 0:
            time.sleep(0.001)
        elif number % 3 == 0:
            sum(range(5000))
        message.reply_channel.send({"text": message.text})

    for _ in range(2):
        make_worker([route(CHANNEL, mixed)], loop=loop, threads=4)

    emit(host, *map(str, range(1500)))

    host.wait_for(Kind.DONE, 1500)
    assert sorted(int(reply["text"]) for reply in host.replies(1500)) == list(
        range(1500)
    )
