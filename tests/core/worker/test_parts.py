"""The parts of a worker: pace, canary, signs of life, the flusher."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from fairway.core.bus import record
from fairway.core.bus.layer import ChannelLayer, LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.operations import (
    REPLY_LOST,
    Answer,
    Lost,
    Operation,
    Outcome,
    Send,
)
from fairway.core.bus.record import Kind
from fairway.core.content import encode_content
from fairway.core.drops import Drop
from fairway.core.worker.canary import EVERY, PATIENCE, Canary, Step
from fairway.core.worker.flush import Out
from fairway.core.worker.owed import BUSY_EVERY, Owed
from fairway.core.worker.pace import HORIZON, MOST, SHORT, Pace


@pytest.mark.parametrize(
    ("seconds", "idle", "limit"),
    [(0.00001, 0, MOST), (0.0009, 0, 2), (0.001, 8, 8), (1.0, 0, 1), (1.0, 3, 3)],
)
def test_short_consumers_let_more_be_taken_at_once(
    seconds: float, idle: int, limit: int
) -> None:
    pace = Pace()

    for _ in range(500):
        pace.add(7, seconds)

    assert pace.limit(idle) == limit


def test_who_waited_for_the_interpreter_is_not_taken_for_long() -> None:
    pace = Pace()
    for _ in range(500):
        pace.add(7, 0.003)
    assert pace.usual(7) > SHORT

    pace.add(7, 0.0001)
    pace.add(7, 0.003)

    assert 0 < pace.usual(7) < SHORT
    assert pace.usual(8) == 0


def test_an_unknown_pace_is_taken_for_long() -> None:
    assert Pace().mean == HORIZON
    assert Pace().limit(8) == 8


def test_a_canary_that_comes_back_makes_ready() -> None:
    canary = Canary()

    assert canary.tick(0, taking=True) is Step.SEND
    assert not canary.ready
    canary.heard()

    assert canary.ready
    assert canary.tick(EVERY - 1, taking=True) is Step.NOTHING
    assert canary.tick(EVERY, taking=True) is Step.SEND


def test_a_canary_that_stays_out_makes_the_worker_subscribe_again() -> None:
    canary = Canary()
    canary.tick(0, taking=True)
    canary.heard()
    canary.tick(EVERY, taking=True)

    assert canary.tick(EVERY + PATIENCE - 1, taking=True) is Step.NOTHING
    assert canary.tick(EVERY + PATIENCE, taking=True) is Step.RESUBSCRIBE
    assert not canary.ready
    assert canary.tick(EVERY + PATIENCE + 1, taking=True) is Step.SEND


def test_a_canary_says_nothing_while_all_threads_are_busy() -> None:
    canary = Canary()
    canary.tick(0, taking=True)
    canary.heard()
    canary.tick(EVERY, taking=True)

    assert canary.tick(EVERY + PATIENCE, taking=False) is Step.NOTHING
    assert canary.ready
    assert canary.tick(EVERY + PATIENCE + 1, taking=True) is Step.SEND


def test_a_long_consumer_gives_signs_of_life() -> None:
    owed = Owed("host!1", 4, since=100, deadline=130)

    due = [now for now in range(100, 145) if owed.busy(now)]

    assert due == [100 + BUSY_EVERY * n for n in (1, 2, 3, 4)]


def test_a_record_that_waited_long_is_short_of_time_from_its_start() -> None:
    owed = Owed("host!1", 4, since=125, deadline=130)

    assert owed.busy(125) is not None
    assert owed.busy(126) is None


def send(channel: str) -> Send:
    return Send(channel, b"\x80")


@pytest.fixture
def layer() -> MemoryLayer:
    return MemoryLayer("memory://", LayerPolicy(capacity=lambda channel: 1))


def waiting(layer: ChannelLayer, channel: str) -> int:
    return layer.statistics([channel])[channel].waiting


def test_nothing_leaves_before_a_flush(layer: MemoryLayer) -> None:
    out = Out(layer)

    out.add([send("a")])
    assert waiting(layer, "a") == 0
    out.flush()

    assert waiting(layer, "a") == 1


def test_nothing_to_add_is_nothing_to_flush(layer: MemoryLayer) -> None:
    out = Out(layer)

    out.add([])
    out.flush()

    assert layer.drops.counts() == {}


def test_what_is_refused_is_counted_and_replaced(layer: MemoryLayer) -> None:
    out = Out(layer)

    out.add([send("a"), send("a")], otherwise=[send("instead")])
    out.add([send("b")], otherwise=[send("not needed")])
    out.flush()

    assert layer.drops.counts() == {("a", Drop.FULL): 1}
    assert waiting(layer, "instead") == 1
    assert waiting(layer, "not needed") == 0


def test_a_peer_whose_mailbox_is_full_is_told_that_a_reply_is_missing() -> None:
    policy = LayerPolicy(mailbox_capacity=2)
    layer = MemoryLayer("memory://", policy)
    out = Out(layer)

    out.add([send("host!ada"), send("host!ada"), send("host!ada"), send("host!bob")])
    out.flush()

    taken = layer.receiver(["host!"]).take(10, 0)
    lost = [one.body for one in taken if one.kind is Kind.LOST]
    assert lost == [record.Lost("ada", REPLY_LOST), record.Lost("bob", REPLY_LOST)]
    assert layer.drops.counts() == {("host", Drop.FULL): 2}


def test_the_events_of_an_answer_that_found_no_room_end_all_the_same() -> None:
    layer = MemoryLayer("memory://", LayerPolicy(mailbox_capacity=2))
    out, state = Out(layer), encode_content({"seen": 1})

    out.add([send("host!ada"), Answer("host!ada", b"\x80", 4)])
    out.add([Answer("host!bob", b"\x80", 7, state)])
    out.flush()

    taken = layer.receiver(["host!"]).take(10, 0)
    assert [one.kind for one in taken[:2]] == [Kind.MESSAGE, Kind.ANSWER]
    assert [one.body for one in taken[2:]] == [
        record.Lost("bob", REPLY_LOST),
        record.Done("bob", 7, state),
    ]
    assert layer.drops.counts() == {("host", Drop.FULL): 1}


class Recording(MemoryLayer):
    """Notes what is written together, and may hold a write or be away."""

    def __init__(self) -> None:
        super().__init__("memory://", LayerPolicy())
        self.writes: list[list[Operation]] = []
        self.away: Outcome | None = None
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def apply(
        self, operations: Sequence[Operation], timeout: float = 5.0
    ) -> list[Outcome]:
        self.writes.append(list(operations))
        self.entered.set()
        self.gate.wait(20)
        if self.away is not None:
            return [self.away] * len(operations)
        return super().apply(operations, timeout)


def test_what_is_added_during_a_write_leaves_together_after_it() -> None:
    layer = Recording()
    layer.gate.clear()
    out = Out(layer)
    out.add([send("a")])
    writer = threading.Thread(target=out.flush)
    writer.start()
    layer.entered.wait(20)

    for name in "bcd":
        out.add([send(name)])
        out.flush()
    layer.gate.set()
    writer.join(20)

    assert [[one.channel for one in write] for write in layer.writes] == [  # type: ignore[union-attr]
        ["a"],
        ["b", "c", "d"],
    ]


def test_many_threads_lose_nothing_and_keep_their_order() -> None:
    layer = Recording()
    out = Out(layer)

    def produce(number: int) -> None:
        for n in range(300):
            out.add([Lost(f"host!{number}", n)])
            out.flush()

    threads = [threading.Thread(target=produce, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    written = [one for write in layer.writes for one in write if isinstance(one, Lost)]
    for number in range(8):
        mine = [one.order for one in written if one.reply_channel == f"host!{number}"]
        assert mine == list(range(300))


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [(Outcome.UNAVAILABLE, Drop.UNAVAILABLE), (Outcome.UNKNOWN, Drop.UNKNOWN)],
)
def test_an_outage_is_counted(outcome: Outcome, reason: Drop) -> None:
    layer = Recording()
    layer.away = outcome
    out = Out(layer, patience=0.0)

    out.add([send("a")], otherwise=[send("instead")])
    out.flush()

    assert layer.drops.counts()[("a", reason)] == 1
    assert len(layer.writes) == 1
