"""The part of the layer conformance suite about channels and receivers."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import pytest

from fairway.core.bus.layer import ChannelLayer, LayerPolicy, Receiver
from fairway.core.bus.operations import (
    Answer,
    Busy,
    Canary,
    Done,
    Forward,
    Lost,
    Outcome,
    Send,
)
from fairway.core.bus.record import Kind
from fairway.core.content import decode_content, encode_content
from fairway.core.drops import Drop
from fairway.core.exceptions import ChannelFull
from fairway.core.names import MAX_NAME_LENGTH
from fairway.testing.layer_case import (
    PATIENCE,
    LayerCase,
    content,
    numbers,
    sends,
    take_all,
)

__all__ = ["QueueConformance"]

Make = Callable[[LayerPolicy], ChannelLayer]


def _ignore(outcomes: list[Outcome]) -> None:
    """What became of operations is looked at elsewhere."""


class QueueConformance(LayerCase):
    """First in first out, at most once, bounded, expiring, without polling."""

    CROWD_MESSAGES = 100_000
    """Messages of the test with four receivers."""

    def test_messages_come_in_the_order_in_which_they_were_accepted(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["orders"])

        for first in range(0, 600, 200):
            layer.send_many(sends("orders", 200, first))

        assert numbers(take_all(receiver, 600)) == list(range(600))

    def test_each_message_is_handed_to_exactly_one_receiver(
        self, layer: ChannelLayer, peer: ChannelLayer
    ) -> None:
        count, batch = self.CROWD_MESSAGES, 500
        seen: Counter[int] = Counter()
        lock = threading.Lock()
        receivers = [
            each.receiver(["crowd", "empty"])
            for each in (layer, peer)
            for _ in range(2)
        ]

        def receive(receiver: Receiver) -> None:
            while (taken := receiver.take(64, PATIENCE)) and seen.total() < count:
                with lock:
                    seen.update(numbers(taken))
                    if seen.total() >= count:
                        for other in receivers:
                            other.wake()

        def send(half: int) -> None:
            for first in range(half * count // 2, (half + 1) * count // 2, batch):
                layer.send_many(sends("crowd", batch, first))

        with ThreadPoolExecutor(6) as threads:
            running = [threads.submit(receive, receiver) for receiver in receivers]
            running += [threads.submit(send, half) for half in range(2)]
            for future in running:
                future.result()

        assert seen.total() == count
        assert len(seen) == count

    def test_a_message_of_one_process_reaches_another(
        self, layer: ChannelLayer, peer: ChannelLayer
    ) -> None:
        receiver = peer.receiver(["far"])

        layer.send("far", content(7))

        assert numbers(take_all(receiver, 1)) == [7]

    def test_a_take_returns_at_once_when_something_waits(
        self, layer: ChannelLayer
    ) -> None:
        layer.send("soon", content(1))

        assert numbers(layer.receiver(["soon"]).take(10)) == [1]

    def test_a_take_returns_as_soon_as_something_arrives(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["idle", "later"])
        sender = threading.Timer(0.1, layer.send, ["later", content(1)])
        sender.start()

        taken = receiver.take(10, PATIENCE)

        sender.join()
        assert numbers(taken) == [1]

    def test_a_take_returns_nothing_after_its_timeout(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["never"])

        assert receiver.take(10, 0.05) == []
        assert receiver.take(10, 0) == []

    def test_a_take_with_timeout_zero_takes_what_waits(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["a", "b"])
        layer.send("b", content(1))

        assert numbers(receiver.take(10, 0)) == [1]

    def test_a_take_takes_no_more_than_its_limit(self, layer: ChannelLayer) -> None:
        receiver = layer.receiver(["a", "b"])
        layer.send_many([*sends("a", 10), *sends("b", 10)])

        assert len(receiver.take(3, 1)) == 3
        assert len(receiver.take(1, 1)) == 1
        assert len(take_all(receiver, 16, limit=5)) == 16

    @pytest.mark.parametrize("limit", [2, 64])
    def test_a_message_on_a_quiet_channel_is_in_the_next_take(
        self, layer: ChannelLayer, limit: int
    ) -> None:
        receiver = layer.receiver(["flooded", "quiet", "empty"])
        layer.send_many(sends("flooded", 2_000))
        receiver.take(limit, 1)

        layer.send("quiet", content(-1))

        assert -1 in numbers(receiver.take(limit, 1))

    def test_takes_of_one_message_rotate_between_channels(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["flooded", "empty", "quiet"])
        layer.send_many(sends("flooded", 50))

        layer.send("quiet", content(-1))

        taken = [numbers(receiver.take(1, 1)) for _ in range(3)]
        assert [-1] in taken

    def test_a_take_of_several_channels_keeps_the_order_of_each(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["a", "b", "c"])
        for first in range(0, 90, 30):
            for channel in "abc":
                layer.send_many(sends(channel, 30, first))

        taken = take_all(receiver, 270, limit=50)

        for channel in "abc":
            own = [delivery for delivery in taken if delivery.channel == channel]
            assert numbers(own) == list(range(90))

    def test_a_waiting_receiver_gets_what_another_left_behind(
        self, layer: ChannelLayer
    ) -> None:
        busy, idle = layer.receiver(["x", "y"]), layer.receiver(["y"])
        with ThreadPoolExecutor(2) as threads:
            for number in range(30):
                first = threads.submit(busy.take, 1, PATIENCE)
                second = threads.submit(idle.take, 1, PATIENCE)
                layer.send("y", content(number))
                layer.send("x", content(number))

                (taken,) = first.result()
                if taken.channel == "y":
                    busy.take(1, PATIENCE)
                    layer.send("y", content(number))
                assert len(second.result()) == 1

    def test_an_expired_message_is_not_handed_out(self, make: Make) -> None:
        layer = make(LayerPolicy(expiry=lambda channel: 0.05))
        receiver = layer.receiver(["stale"])
        layer.send_many(sends("stale", 3))

        time.sleep(0.1)

        assert receiver.take(10, 0.1) == []

    def test_expired_messages_are_counted_by_channel(self, make: Make) -> None:
        layer = make(LayerPolicy(expiry=lambda channel: 0.05))
        receiver = layer.receiver(["stale"])
        layer.send_many([Send("stale", content(0), 0.3), *sends("stale", 3, 1)])

        time.sleep(0.1)

        assert numbers(receiver.take(10, 1)) == [0]
        receiver.take(10, 0.1)
        assert layer.drops.counts() == {("stale", Drop.EXPIRED): 3}

    def test_a_send_may_have_an_expiry_of_its_own(self, layer: ChannelLayer) -> None:
        receiver = layer.receiver(["mixed"])
        layer.send("mixed", content(1), expiry=0.05)
        layer.send("mixed", content(2), expiry=30)

        time.sleep(0.1)

        assert numbers(receiver.take(10, 1)) == [2]

    def test_a_delivery_says_when_it_expires_in_this_process(
        self, layer: ChannelLayer
    ) -> None:
        layer.send("timed", content(1), expiry=30)

        (delivery,) = layer.receiver(["timed"]).take(1, 1)

        assert 20 < delivery.deadline - time.monotonic() < 31

    def test_a_channel_takes_its_capacity_and_no_more(self, make: Make) -> None:
        layer = make(LayerPolicy(capacity={"small": 3, "other": 100}.__getitem__))

        outcomes = layer.apply([*sends("small", 5), *sends("other", 1)])

        accepted, full = Outcome.ACCEPTED, Outcome.FULL
        assert outcomes == [accepted] * 3 + [full] * 2 + [accepted]
        assert layer.apply(sends("small", 1)) == [full]
        assert numbers(layer.receiver(["small"]).take(10, 1)) == [0, 1, 2]
        assert layer.apply(sends("small", 1)) == [accepted]

    def test_send_raises_channel_full_naming_the_channel(self, make: Make) -> None:
        layer = make(LayerPolicy(capacity=lambda channel: 1))
        layer.send("small", content(1))

        with pytest.raises(ChannelFull) as caught:
            layer.send("small", content(2))

        assert caught.value.channel == "small"

    def test_a_channel_full_of_expired_messages_is_not_full(self, make: Make) -> None:
        layer = make(
            LayerPolicy(capacity=lambda channel: 150, expiry=lambda channel: 0.05)
        )
        layer.send_many(sends("stale", 150))

        time.sleep(0.1)
        fresh = [Send("stale", content(number), 30) for number in range(1_000, 1_150)]
        layer.send_many(fresh)

        taken = take_all(layer.receiver(["stale"]), 150)
        assert numbers(taken) == list(range(1_000, 1_150))

    def test_a_full_mailbox_still_takes_records_of_control(self, make: Make) -> None:
        layer = make(LayerPolicy(mailbox_capacity=3))
        full = [Outcome.FULL]

        outcomes = layer.apply(
            [*sends("box!a", 4), *[Done("box!a", n) for n in range(4)]]
        )

        accepted = [Outcome.ACCEPTED]
        assert outcomes == accepted * 3 + full + accepted * 3 + full
        taken = take_all(layer.receiver(["box!"]), 6)
        assert [each.kind for each in taken] == [Kind.MESSAGE] * 3 + [Kind.DONE] * 3

    def test_a_mailbox_keeps_the_order_of_all_its_records(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["box!"])
        for number in range(50):
            channel = f"box!{number % 7}"
            layer.send_many([Send(channel, content(number)), Done(channel, number)])

        taken = take_all(receiver, 100)

        assert {delivery.channel for delivery in taken} == {"box!"}
        assert [delivery.kind for delivery in taken] == [Kind.MESSAGE, Kind.DONE] * 50
        assert numbers(taken[::2]) == list(range(50))
        assert [delivery.body.order for delivery in taken[1::2]] == list(range(50))  # type: ignore[union-attr]

    def test_the_events_of_a_peer_arrive_as_one_record(
        self, layer: ChannelLayer
    ) -> None:
        envelope, state = encode_content({"peer": "p"}), encode_content({"seen": 1})
        events = (content(1), content(2))
        layer.send_many([Send("in", envelope, events=events, order=8, state=state)])
        layer.send_many([Send("in", envelope, events=events)])

        first, second = take_all(layer.receiver(["in"]), 2)

        assert (first.kind, second.kind) == (Kind.EVENT, Kind.EVENT)
        assert decode_content(bytes(first.body.envelope)) == {"peer": "p"}  # type: ignore[union-attr]
        assert tuple(map(bytes, first.body.events)) == events  # type: ignore[union-attr]
        assert (first.body.order, first.body.state) == (8, state)  # type: ignore[union-attr]
        assert (second.body.order, second.body.state) == (0, None)  # type: ignore[union-attr]

    def test_records_of_control_arrive_as_they_were_meant(
        self, layer: ChannelLayer
    ) -> None:
        state, reply = encode_content({"seen": 1}), content(5)
        layer.send_many(
            [
                Send("box!me", content(1)),
                Done("box!me", 3, state),
                Done("box!me", 4),
                Busy("box!me", 5),
                Lost("box!me", 2**40),
                Forward("box!me", reply),
                Canary("box", 77),
                Answer("box!me", reply, 6, state),
                Answer("box!me", reply, 7),
            ]
        )

        message, done, unchanged, busy, lost, forward, canary, answer, last = (
            delivery.body for delivery in take_all(layer.receiver(["box!"]), 9)
        )

        assert (message.local, bytes(message.content)) == ("me", content(1))  # type: ignore[union-attr]
        assert (done.local, done.order, done.state) == ("me", 3, state)  # type: ignore[union-attr]
        assert (unchanged.order, unchanged.state) == (4, None)  # type: ignore[union-attr]
        assert (busy.local, busy.order) == ("me", 5)  # type: ignore[union-attr]
        assert (lost.local, lost.order) == ("me", 2**40)  # type: ignore[union-attr]
        assert (forward.local, bytes(forward.content)) == ("me", reply)  # type: ignore[union-attr]
        assert canary.token == 77  # type: ignore[union-attr]
        assert (answer.local, bytes(answer.content)) == ("me", reply)  # type: ignore[union-attr]
        assert (answer.order, answer.state) == (6, state)  # type: ignore[union-attr]
        assert (last.order, last.state) == (7, None)  # type: ignore[union-attr]

    def test_the_longest_names_and_the_largest_content_travel(
        self, layer: ChannelLayer
    ) -> None:
        names = ["c" * MAX_NAME_LENGTH, "a.b-c_D?" + "l" * (MAX_NAME_LENGTH - 8)]
        large = b"\x00\xff\r\n" * (layer.policy.max_content // 4 - 16)
        encoded = encode_content({"large": large})

        for name in names:
            layer.send(name, encoded)

            (delivery,) = layer.receiver([name]).take(1, PATIENCE)
            assert delivery.content() == {"large": large}

    def test_a_new_channel_is_unique_and_has_a_question_mark(
        self, layer: ChannelLayer
    ) -> None:
        one, other = layer.new_channel("body?"), layer.new_channel("body?")
        layer.send(one, content(1))
        layer.send(other, content(2))

        assert one != other
        assert one.startswith("body?")
        assert numbers(layer.receiver([one]).take(5, 1)) == [1]
        assert numbers(layer.receiver([other]).take(5, 1)) == [2]

    def test_a_new_channel_needs_a_question_mark(self, layer: ChannelLayer) -> None:
        with pytest.raises(ValueError, match="must end in"):
            layer.new_channel("body")

    def test_nothing_to_do_is_done_at_once(self, layer: ChannelLayer) -> None:
        assert layer.apply([]) == []

    def test_operations_before_a_take_leave_before_it_waits(
        self, layer: ChannelLayer
    ) -> None:
        receiver, other = layer.receiver(["in", "quiet"]), layer.receiver(["out"])
        told: SimpleQueue[list[Outcome]] = SimpleQueue()
        with ThreadPoolExecutor(1) as threads:
            taking = threads.submit(
                layer.apply_and_take, sends("out", 3), told.put, receiver, 10
            )

            assert numbers(take_all(other, 3)) == [0, 1, 2]
            assert told.get(timeout=PATIENCE) == [Outcome.ACCEPTED] * 3
            assert not taking.done()
            layer.send("in", content(7))
            assert numbers(taking.result(PATIENCE)) == [7]

        assert told.empty()

    def test_a_take_behind_operations_gets_what_they_put_there(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["a", "b"])
        taken: list[int] = []

        for first in range(0, 300, 30):
            operations = [*sends("a", 20, first), *sends("b", 10, first + 20)]
            come = layer.apply_and_take(operations, _ignore, receiver, 64)
            taken += numbers(come)

        taken += numbers(take_all(receiver, 300 - len(taken)))
        assert sorted(taken) == list(range(300))

    def test_wake_ends_a_take_behind_operations(self, layer: ChannelLayer) -> None:
        receiver = layer.receiver(["quiet"])
        with ThreadPoolExecutor(1) as threads:
            taking = threads.submit(
                layer.apply_and_take, sends("out", 1), _ignore, receiver, 10
            )
            time.sleep(0.1)
            receiver.wake()

            assert taking.result(PATIENCE) == []

    def test_wake_makes_a_blocked_take_return(self, layer: ChannelLayer) -> None:
        receiver = layer.receiver(["quiet"])
        with ThreadPoolExecutor(1) as threads:
            taking = threads.submit(receiver.take, 10, None)
            time.sleep(0.1)
            receiver.wake()

            assert taking.result(PATIENCE) == []

    def test_wake_before_a_take_makes_it_return(self, layer: ChannelLayer) -> None:
        receiver = layer.receiver(["quiet"])
        receiver.wake()

        assert receiver.take(10, None) == []

    def test_a_signal_handler_may_wake(self, layer: ChannelLayer) -> None:
        receiver = layer.receiver(["quiet", "busy"])
        before = signal.signal(signal.SIGUSR1, lambda *_: receiver.wake())
        main = threading.get_ident()
        stop = threading.Event()

        def interrupt() -> None:
            while not stop.wait(0.003):
                signal.pthread_kill(main, signal.SIGUSR1)

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            for number in range(200):
                layer.send("busy", content(number))
            assert numbers(take_all(receiver, 200, limit=7)) == list(range(200))
            while receiver.take(1, None):
                pass
        finally:
            stop.set()
            thread.join()
            signal.signal(signal.SIGUSR1, before)

    def test_wake_loses_no_message(self, layer: ChannelLayer) -> None:
        count = 2_000
        receiver = layer.receiver(["a", "b"])
        sent = threading.Event()

        def send() -> None:
            for number in range(count):
                layer.send("ab"[number % 2], content(number))
            sent.set()

        def wake() -> None:
            while not sent.wait(0.001):
                receiver.wake()

        with ThreadPoolExecutor(2) as threads:
            running = [threads.submit(send), threads.submit(wake)]
            taken = numbers(take_all(receiver, count, limit=3))
            for future in running:
                future.result()

        assert sorted(taken) == list(range(count))

    def test_a_take_after_a_wake_gets_what_waits(self, layer: ChannelLayer) -> None:
        receiver = layer.receiver(["a"])
        layer.send("a", content(1))
        receiver.wake()

        assert numbers(take_all(receiver, 1)) == [1]

    def test_close_makes_a_blocked_take_return(self, layer: ChannelLayer) -> None:
        receiver = layer.receiver(["quiet"])
        with ThreadPoolExecutor(1) as threads:
            taking = threads.submit(receiver.take, 10, None)
            time.sleep(0.1)
            receiver.close()

            assert taking.result(PATIENCE) == []

    def test_what_a_closed_receiver_did_not_take_goes_to_another(
        self, layer: ChannelLayer
    ) -> None:
        first, second = layer.receiver(["a"]), layer.receiver(["a"])
        layer.send_many(sends("a", 3))
        assert numbers(first.take(1, 1)) == [0]

        first.close()

        assert numbers(take_all(second, 2)) == [1, 2]

    def test_a_receiver_goes_on_after_resubscribe(self, layer: ChannelLayer) -> None:
        receiver = layer.receiver(["a"])
        receiver.take(1, 0)

        receiver.resubscribe()
        layer.send("a", content(1))

        assert numbers(take_all(receiver, 1)) == [1]

    def test_a_claim_is_given_to_one_caller_for_its_time(
        self, layer: ChannelLayer, peer: ChannelLayer
    ) -> None:
        assert layer.claim("job:1", 0.2)
        assert not peer.claim("job:1", 0.2)
        assert peer.claim("job:2", 0.2)

        time.sleep(0.3)

        assert peer.claim("job:1", 0.2)

    def test_an_owner_renews_its_claim_and_gives_it_up(
        self, layer: ChannelLayer, peer: ChannelLayer
    ) -> None:
        assert layer.claim("lead", 60, "a")
        assert layer.claim("lead", 60, "a")
        assert not peer.claim("lead", 60, "b")
        assert not peer.claim("lead", 0, "b")
        assert not peer.claim("lead", 60)

        assert layer.claim("lead", 0, "a")

        assert peer.claim("lead", 60, "b")

    def test_statistics_say_how_much_waits(self, layer: ChannelLayer) -> None:
        layer.send_many(sends("a", 3))

        found = layer.statistics(["a", "b"])

        assert {name: each.waiting for name, each in found.items()} == {"a": 3, "b": 0}
        assert (found["a"].oldest_age or 0.0) < PATIENCE
        assert found["b"].oldest_age is None

    def test_a_message_says_when_it_was_sent(self, layer: ChannelLayer) -> None:
        before = time.monotonic()
        layer.send("a", content(1), expiry=30)
        after = time.monotonic()

        [delivery] = layer.receiver(["a"]).take(1, PATIENCE)

        assert delivery.sent is not None
        assert before - 0.1 <= delivery.sent <= after + 0.1

    def test_flush_forgets_messages_and_claims_but_no_receiver(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["a"])
        layer.send_many(sends("a", 3))
        layer.claim("job", 60)

        layer.flush()
        layer.send("a", content(9))

        assert numbers(take_all(receiver, 1)) == [9]
        assert layer.claim("job", 60)
