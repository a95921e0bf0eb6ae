"""The order of one peer's events as a state machine, against a plain model."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fairway.interfaces.order import Batch, PeerOrder
from tests.support.examples import examples

CHANNELS = ["x.connect", "x.receive", "x.disconnect"]


class OrderMachine(RuleBasedStateMachine):
    """Adds, releases and ends at random; the model is two lists."""

    def __init__(self) -> None:
        super().__init__()
        self.order = PeerOrder()
        self.waiting: list[tuple[str, bytes]] = []
        self.released: list[tuple[str, bytes]] = []
        self.added: list[tuple[str, bytes]] = []
        self.on_bus: Batch | None = None

    @rule(channel=st.sampled_from(CHANNELS), size=st.integers(1, 200_000))
    def add(self, channel: str, size: int) -> None:
        payload = bytes(size)
        assert self.order.number == len(self.added)

        self.order.add(channel, payload, {})

        self.added.append((channel, payload))
        self.waiting.append((channel, payload))

    @rule()
    def release(self) -> None:
        batch = self.order.release()

        if self.on_bus is not None or not self.waiting:
            assert batch is None
            return
        assert batch is not None
        taken = [(batch.channel, payload) for payload in batch.payloads]
        assert taken == self.waiting[: len(taken)]
        del self.waiting[: len(taken)]
        self.released += taken
        assert batch.order == len(self.released) - 1
        self.on_bus = batch

    @rule(wrong=st.integers(-3, 300))
    def end_another_record(self, wrong: int) -> None:
        if self.on_bus is None or wrong != self.on_bus.order:
            assert not self.order.ended(wrong)

    @precondition(lambda self: self.on_bus is not None)
    @rule(answered=st.booleans())
    def end(self, answered: bool) -> None:
        assert self.on_bus is not None
        if answered:
            assert self.order.is_on_bus(self.on_bus.order)
            assert self.order.ended(self.on_bus.order)
        else:
            assert self.order.give_up() == self.on_bus.order
        self.on_bus = None

    @invariant()
    def nothing_is_lost_or_overtaken(self) -> None:
        assert self.released + self.waiting == self.added

    @invariant()
    def it_counts_what_waits(self) -> None:
        assert self.order.waiting == len(self.waiting)
        assert self.order.size == sum(len(payload) for _, payload in self.waiting)
        assert self.order.idle == (self.on_bus is None and not self.waiting)


OrderMachine.TestCase.settings = settings(
    max_examples=examples(60), stateful_step_count=40
)
TestOrder = OrderMachine.TestCase


def test_waiting_events_of_one_kind_leave_together() -> None:
    order = PeerOrder()
    for channel in ["x.receive", "x.receive", "x.disconnect"]:
        order.add(channel, b"1", {})

    batch = order.release()

    assert batch is not None
    assert (batch.channel, batch.order, len(batch.payloads)) == ("x.receive", 1, 2)


def test_a_record_stays_bounded_however_much_waits() -> None:
    order = PeerOrder()
    for _ in range(10):
        order.add("x.receive", bytes(100 * 1024), {})

    batch = order.release()

    assert batch is not None
    assert len(batch.payloads) == 2


def test_one_event_above_the_bound_leaves_alone() -> None:
    order = PeerOrder()
    order.add("x.receive", bytes(1024 * 1024), {})

    batch = order.release()

    assert batch is not None
    assert len(batch.payloads) == 1
