"""A simple layer whose bus fails now and then."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.operations import GroupSend, Outcome, Send
from fairway.core.bus.record import Kind
from fairway.core.drops import Drop
from fairway.core.exceptions import LayerUnavailable
from fairway.testing.layer_case import Collector, content, numbers, take_all, until
from tests.bus.toy_layer import ToyBus, ToyLayer


class Failing(ToyLayer):
    """A toy whose bus is away for as long as a test says."""

    def __init__(self, policy: LayerPolicy | None = None) -> None:
        super().__init__(ToyBus(), policy or LayerPolicy())
        self.away = False
        self.sent = False

    def push(self, queue: str, record: bytes, *, ttl: float, capacity: int) -> bool:
        self._look()
        return super().push(queue, record, ttl=ttl, capacity=capacity)

    def pull(
        self, queues: Sequence[str], limit: int, timeout: float
    ) -> list[tuple[str, bytes]]:
        self._look()
        return super().pull(queues, limit, min(timeout, 0.05))

    def members(self, group: str) -> list[str]:
        self._look()
        return super().members(group)

    def _look(self) -> None:
        if self.away:
            raise LayerUnavailable(self.url, "cut off", sent=self.sent)


def test_what_was_not_written_is_unavailable_and_says_why() -> None:
    layer = Failing()
    layer.away = True

    with pytest.raises(LayerUnavailable, match="cut off") as caught:
        layer.send("in", content(1))

    assert not caught.value.sent
    assert layer.apply([Send("in", content(1))]) == [Outcome.UNAVAILABLE]


def test_what_may_have_been_written_is_unknown() -> None:
    layer = Failing()
    layer.away = layer.sent = True

    outcomes = layer.apply([Send("in", content(1)), GroupSend("room", content(1))])

    assert outcomes == [Outcome.UNKNOWN] * 2


def test_what_comes_after_the_timeout_is_unavailable() -> None:
    assert Failing().apply([Send("in", content(1))], 0.0) == [Outcome.UNAVAILABLE]


def test_a_receiver_waits_on_while_the_bus_is_away() -> None:
    layer = Failing()
    receiver = layer.receiver(["in"])
    layer.away = True
    assert receiver.take(1, 0.05) == []

    layer.away = False
    layer.send("in", content(1))

    assert numbers(take_all(receiver, 1)) == [1]


@pytest.mark.standard
def test_wake_works_while_the_bus_is_away() -> None:
    layer = Failing()
    receiver = layer.receiver(["in"])
    layer.away = True
    thread = threading.Thread(target=receiver.take, args=(1,))
    thread.start()

    receiver.wake()

    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.standard
def test_a_mailbox_is_a_member_again_after_its_lease_ended() -> None:
    layer = Failing(LayerPolicy(mailbox_lease=0.3))
    owner = Collector()

    async def scenario() -> None:
        port = layer.port(asyncio.get_running_loop())
        box = port.mailbox("test", owner)
        owner.groups = {"room": {"me"}}
        layer.away = True
        await asyncio.sleep(0.5)
        layer.bus.groups.clear()
        layer.away = False
        await until(lambda: layer.group_channels("room"))
        await port.apply([GroupSend("room", content(1))])
        await until(lambda: owner.of(Kind.GROUP))
        await box.close()
        await port.close()

    asyncio.run(scenario())

    assert layer.members("room") == []


def test_members_of_a_dead_process_are_taken_out() -> None:
    layer = Failing()
    layer.join("room", "dead!me", 60)

    layer.group_send("room", content(1))

    assert layer.members("room") == []


def test_what_is_no_record_is_counted() -> None:
    layer = Failing()
    for record in (b"garbage", b"\x63" + bytes(20)):
        layer.push("in", record, ttl=60, capacity=10)

    assert layer.receiver(["in"]).take(10, 0.1) == []

    assert layer.drops.counts() == {("in", Drop.INVALID): 1, ("in", Drop.VERSION): 1}
