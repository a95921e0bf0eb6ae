"""What waits in a worker for a layer that is away, and for how long."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.operations import Operation, Outcome, Send
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
