"""The alarm of a crew: put off without a wake, never lost, in both kinds."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from fairway.core.bus.layer import Delivery, LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.operations import Send
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import route
from fairway.core.content import encode_content
from fairway.core.worker.alarm import Alarm, PollingAlarm, TimerAlarm
from fairway.core.worker.crew import CrewLoop
from fairway.core.worker.flush import Out
from fairway.core.worker.loop import Begins, LoopParts
from fairway.core.worker.pace import Pace
from tests.core.worker.conftest import Host, MakeWorker
from tests.support.waiting import wait_until

KINDS = [PollingAlarm, *([TimerAlarm] if sys.platform == "linux" else [])]


@pytest.fixture(params=KINDS)
def alarm(request: pytest.FixtureRequest) -> Alarm:
    made: Alarm = request.param()
    return made


@pytest.fixture
def watcher() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


def hears(watcher: ThreadPoolExecutor, alarm: Alarm, since: float) -> Future[float]:
    """Wait in another thread until the alarm says that `since` has passed."""

    def wait() -> float:
        while time.monotonic() < since:
            alarm.wait()
        return time.monotonic()

    return watcher.submit(wait)


def test_who_waits_wakes_when_it_goes_off(
    alarm: Alarm, watcher: ThreadPoolExecutor
) -> None:
    for _ in range(20):
        end = time.monotonic() + 0.002
        heard = hears(watcher, alarm, end)

        alarm.set(end)

        assert heard.result(20) >= end


def test_it_can_be_put_off_and_brought_forward(
    alarm: Alarm, watcher: ThreadPoolExecutor
) -> None:
    began = time.monotonic()
    heard = watcher.submit(alarm.wait)
    for step in range(20):
        alarm.set(began + 600 + step)
    assert not heard.done()

    alarm.set(time.monotonic())

    heard.result(20)
    assert time.monotonic() < began + 600


def test_what_it_said_before_anybody_waited_is_heard(
    alarm: Alarm, watcher: ThreadPoolExecutor
) -> None:
    for _ in range(20):
        alarm.set(time.monotonic())

        watcher.submit(alarm.wait).result(20)


def test_once_it_went_off_nothing_is_set(
    alarm: Alarm, watcher: ThreadPoolExecutor
) -> None:
    alarm.set(time.monotonic())
    watcher.submit(alarm.wait).result(20)

    assert alarm.at == 0.0


class HeldUp(float):
    """A duration whose second look takes longer than the alarm."""

    looks = 0

    def __gt__(self, other: float) -> bool:
        self.looks += 1
        if self.looks == 2:
            time.sleep(0.02)
        return super().__gt__(other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_leader_that_is_held_up_as_its_consumer_begins_is_watched(
    kind: type[Alarm],
) -> None:
    class Crew(CrewLoop):
        ALARM = kind

    came: list[str] = []
    overtaken = threading.Event()

    class Thread:
        def consume(self, delivery: Delivery, begins: Begins) -> None:
            begins(HeldUp(0.0001) if delivery.channel == "long" else 0.0001)
            if delivery.channel == "long":
                overtaken.wait(20)
            came.append(delivery.channel)
            if delivery.channel == "last":
                overtaken.set()

        def leave(self) -> None:
            pass

    layer, pace = MemoryLayer("memory://", LayerPolicy()), Pace()
    pace.mean = 0.0001
    channels = ["first", "long", "last"]
    layer.apply([Send(channel, encode_content({})) for channel in channels])
    loop = Crew(
        LoopParts(
            receiver=layer.receiver(channels),
            crew=[Thread() for _ in range(4)],
            pace=pace,
            out=Out(layer),
            sieve=lambda taken: taken,
        )
    )
    receiving = threading.Thread(target=loop.receive)
    receiving.start()
    wait_until(lambda: len(came) == 3)
    loop.stop()
    receiving.join(20)

    assert loop.drain(20) == []
    assert came == ["first", "last", "long"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_crew_shares_its_work_with_either(
    kind: type[Alarm],
    make_worker: MakeWorker,
    host: Host,
) -> None:
    class Crew(CrewLoop):
        ALARM = kind

    gate = threading.Event()
    inside: list[str] = []

    def consume(message: Message) -> None:
        text = message.text
        if text.startswith("wait"):
            inside.append(text)
            gate.wait(20)
        message.reply_channel.send({"text": text})

    make_worker([route("websocket.receive", consume)], loop=Crew)
    for number in range(7):
        host.emit(f"wait{number}", {"order": 0, "text": f"wait{number}"})
    wait_until(lambda: len(inside) == 7)

    for number in range(30):
        host.emit(f"fast{number}", {"order": 0, "text": f"fast{number}"})

    assert len(host.replies(30)) == 30
    gate.set()
    host.replies(37)
