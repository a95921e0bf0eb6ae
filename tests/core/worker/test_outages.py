"""What waits in a worker for a layer that is away, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fairway.core.bus import record
from fairway.core.bus.layer import ChannelLayer, LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.operations import (
    REPLY_LOST,
    Answer,
    Done,
    Lost,
    Operation,
    Outcome,
    Send,
)
from fairway.core.content import encode_content
from fairway.core.drops import Drop
from fairway.core.worker.flush import Out
from tests.support.waiting import wait_until

CONTENT = encode_content({})


class Away(MemoryLayer):
    """Is away while `outcome` is set; notes the channels that were written to."""

    def __init__(self) -> None:
        super().__init__("memory://", LayerPolicy())
        self.outcome: Outcome | None = Outcome.UNAVAILABLE
        self.written: list[str] = []
        self.tried = 0

    def apply(
        self, operations: Sequence[Operation], timeout: float = 5.0
    ) -> list[Outcome]:
        self.tried += 1
        if self.outcome is not None:
            return [self.outcome] * len(operations)
        self.written += [one.channel for one in operations if isinstance(one, Send)]
        return super().apply(operations, timeout)


def test_what_a_layer_did_not_take_leaves_first_when_it_is_back() -> None:
    layer = Away()
    out = Out(layer)
    for name in "ab":
        out.add([Send(name, CONTENT)])
        out.flush()
    layer.outcome = None
    out.add([Send("c", CONTENT)])
    out.flush()

    assert layer.written == ["a", "b", "c"]
    assert layer.drops.counts() == {}


def test_a_flush_with_nothing_new_tries_again_after_a_pause() -> None:
    layer = Away()
    out = Out(layer)
    out.add([Send("a", CONTENT)])
    out.flush()
    out.flush()
    assert layer.tried == 1
    layer.outcome = None

    def written() -> bool:
        out.flush()
        return layer.written == ["a"]

    wait_until(written)


def test_what_may_have_been_written_is_not_written_again() -> None:
    layer = Away()
    layer.outcome = Outcome.UNKNOWN
    out = Out(layer)
    out.add([Send("a", CONTENT)])
    out.flush()
    layer.outcome = None
    out.close()

    assert layer.written == []
    assert layer.drops.counts() == {("a", Drop.UNKNOWN): 1}


def _given_up(out: Out, layer: Away) -> Callable[[], bool]:
    def given_up() -> bool:
        out.flush()
        return bool(layer.drops.counts())

    return given_up


def _bodies(layer: ChannelLayer) -> list[object]:
    return [delivery.body for delivery in layer.receiver(["host!"]).take(10, 0)]


def test_the_host_hears_of_a_reply_that_was_given_up_once_the_layer_is_back() -> None:
    layer, state = Away(), encode_content({"seen": 1})
    out = Out(layer, patience=0.3)
    out.add([Answer("host!ada", CONTENT, 4, state)])
    out.add([Send("host!bob", CONTENT), Send("host!bob", CONTENT)])
    out.add([Done("host!eve", 7)], otherwise=[Lost("host!eve", 7)])
    wait_until(_given_up(out, layer))
    assert layer.drops.counts() == {("host", Drop.UNAVAILABLE): 4}
    layer.outcome, layer.tried = None, 0

    def told() -> bool:
        out.flush()
        return layer.tried > 0

    wait_until(told)

    assert _bodies(layer) == [
        record.Lost("ada", REPLY_LOST),
        record.Done("ada", 4, state),
        record.Lost("bob", REPLY_LOST),
        record.Done("eve", 7, None),
        record.Lost("eve", 7),
    ]
    assert layer.tried == 1


def test_a_host_that_cannot_be_told_for_as_long_is_not_told() -> None:
    layer = Away()
    out = Out(layer, patience=0.3)
    out.add([Answer("host!ada", CONTENT, 4)])
    wait_until(_given_up(out, layer))

    def notice_is_given_up() -> bool:
        out.flush()
        return layer.drops.counts() == {("host", Drop.UNAVAILABLE): 3}

    wait_until(notice_is_given_up)
    layer.outcome = None
    out.close()

    assert _bodies(layer) == []


def test_closing_counts_what_still_waits() -> None:
    layer = Away()
    out = Out(layer)
    out.add([Send("a", CONTENT), Send("b", CONTENT)])
    out.flush()
    out.close()

    counts = layer.drops.counts()
    assert counts == {("a", Drop.UNAVAILABLE): 1, ("b", Drop.UNAVAILABLE): 1}


def test_no_more_waits_than_there_is_room_for() -> None:
    layer = Away()
    out = Out(layer)
    out.add([Send("a", CONTENT)] * 10_000)
    out.add([Send("b", CONTENT)])
    out.flush()

    assert layer.drops.counts() == {("b", Drop.UNAVAILABLE): 1}


def test_the_host_hears_of_a_reply_for_which_there_was_no_room() -> None:
    layer = Away()
    out = Out(layer)
    out.add([Send("a", CONTENT)] * 10_000)
    out.add([Send("host!me", CONTENT)])
    out.flush()
    layer.outcome = None
    out.close()

    taken = layer.receiver(["host!"]).take(10, 0)
    assert [each.body for each in taken] == [record.Lost("me", REPLY_LOST)]


class Half(Away):
    """Has room for what goes elsewhere only, as memory comes and goes."""

    def apply(
        self, operations: Sequence[Operation], timeout: float = 5.0
    ) -> list[Outcome]:
        refused = [isinstance(one, Answer) for one in operations]
        super().apply([one for one in operations if not isinstance(one, Answer)])
        return [Outcome.UNAVAILABLE if each else Outcome.ACCEPTED for each in refused]


def test_the_host_hears_at_once_of_a_reply_that_alone_was_refused() -> None:
    layer = Half()
    layer.outcome = None
    out = Out(layer)
    out.add([Send("a", CONTENT), Answer("host!ada", CONTENT, 4)])
    out.flush()

    assert layer.written == ["a"]
    assert _bodies(layer) == [
        record.Lost("ada", REPLY_LOST),
        record.Done("ada", 4, None),
    ]


def test_what_a_refused_reply_leads_to_waits_for_a_layer_that_goes_away() -> None:
    """A mailbox is full; before its owner is told so, the layer is gone."""

    class Full(Away):
        def apply(
            self, operations: Sequence[Operation], timeout: float = 5.0
        ) -> list[Outcome]:
            if self.tried == 0:
                self.tried += 1
                return [Outcome.FULL] * len(operations)
            return super().apply(operations, timeout)

    layer = Full()
    out = Out(layer)
    out.add([Answer("host!ada", CONTENT, 4)])
    out.flush()
    assert layer.tried == 2
    layer.outcome = None

    def told() -> bool:
        out.flush()
        return layer.tried > 2

    wait_until(told)

    assert _bodies(layer) == [
        record.Lost("ada", REPLY_LOST),
        record.Done("ada", 4, None),
    ]
    assert layer.tried == 3
