"""The thread beside the loop: what it sends, and when."""

from __future__ import annotations

import pytest

from fairway.core.bus.layer import Delivery, LayerPolicy, Receiver
from fairway.core.bus.memory import MemoryLayer
from fairway.core.worker.canary import EVERY, PATIENCE, Canary
from fairway.core.worker.flush import Out
from fairway.core.worker.loop import LoopParts
from fairway.core.worker.pace import Pace
from fairway.core.worker.queueing import QueueLoop
from fairway.core.worker.watch import Watch


class Deaf(Receiver):
    """A receiver that gets nothing, and notes that it was told to subscribe again."""

    def __init__(self) -> None:
        self.resubscribed = 0

    def take(self, limit: int, timeout: float | None = None) -> list[Delivery]:
        return []

    def wake(self) -> None:
        """Nobody waits."""

    def resubscribe(self) -> None:
        self.resubscribed += 1

    def close(self) -> None:
        """Nothing is open."""


class Bench:
    def __init__(self) -> None:
        self.layer = MemoryLayer("memory://", LayerPolicy())
        self.receiver = Deaf()
        out = Out(self.layer)
        self.canary = Canary()
        idle = QueueLoop(
            LoopParts(
                receiver=self.receiver,
                crew=[],
                pace=Pace(),
                out=out,
                sieve=lambda taken: taken,
            )
        )
        self.watch = Watch(
            idle,
            self.receiver,
            canary=self.canary,
            channel="worker?1",
            runners=[],
            out=out,
            name="test",
        )

    @property
    def sent(self) -> int:
        """How many canaries wait on the worker's channel."""
        return self.layer.statistics(["worker?1"])["worker?1"].waiting


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_canary_is_sent_at_once_and_then_now_and_then(bench: Bench) -> None:
    bench.watch.look(100)
    assert bench.sent == 1

    bench.canary.heard()
    bench.watch.look(100 + EVERY - 1)
    assert bench.sent == 1

    bench.watch.look(100 + EVERY)
    assert bench.sent == 2


def test_a_deaf_worker_subscribes_again(bench: Bench) -> None:
    bench.watch.look(100)

    bench.watch.look(100 + PATIENCE)

    assert bench.receiver.resubscribed == 1
    assert not bench.canary.ready
