"""Operations in one write with a take, and takes of many queues, on Redis."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from fairway.core.bus.layer import LayerPolicy, Receiver
from fairway.core.bus.operations import GroupAdd, GroupSend, Operation, Outcome, Send
from fairway.core.bus.redis import RedisLayer
from fairway.core.worker.flush import Out
from fairway.testing.layer_case import content, numbers, sends, take_all
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.standard

PATIENCE = 30.0


@pytest.fixture
def layer(fresh_redis: RedisServer) -> Iterator[RedisLayer]:
    layer = RedisLayer(fresh_redis.url, LayerPolicy(capacity=lambda name: 10_000))
    yield layer
    layer.close()


@pytest.fixture
def receiver(layer: RedisLayer) -> Receiver:
    """A receiver with an open connection on which nothing is awaited."""
    receiver = layer.receiver(["in", "other", "third"])
    errand(layer, receiver, [Send("in", content(-1))])
    return receiver


def errand(
    layer: RedisLayer, receiver: Receiver, operations: Sequence[Operation]
) -> tuple[list[Outcome], list[int]]:
    """Carry out operations and take; return what became of them and what was taken."""
    told: list[list[Outcome]] = []
    taken = layer.apply_and_take(operations, told.append, receiver, 64)
    [outcomes] = told
    return outcomes, numbers(taken)


def test_they_share_the_connection_of_the_receiver(
    fresh_redis: RedisServer, layer: RedisLayer, receiver: Receiver
) -> None:
    def connections() -> int:
        return int(fresh_redis.client().info("stats")["total_connections_received"])

    before = connections()
    for number in range(20):
        outcomes = errand(layer, receiver, [Send("in", content(number))])
        assert outcomes == ([Outcome.ACCEPTED], [number])

    # No more than those who ask.
    assert connections() - before <= 2


def test_a_connection_that_the_server_ended_costs_nothing(
    fresh_redis: RedisServer, layer: RedisLayer, receiver: Receiver
) -> None:
    fresh_redis.execute("CLIENT", "KILL", "TYPE", "normal")

    outcomes = errand(layer, receiver, [Send("in", content(1))])

    assert outcomes == ([Outcome.ACCEPTED], [1])


def test_what_a_server_that_is_gone_did_not_get_may_be_tried_again(
    fresh_redis: RedisServer, layer: RedisLayer, receiver: Receiver
) -> None:
    told: list[list[Outcome]] = []
    fresh_redis.kill()
    with ThreadPoolExecutor(1) as threads:
        operations = [Send("in", content(1))]
        taking = threads.submit(
            layer.apply_and_take, operations, told.append, receiver, 64
        )
        wait_until(lambda: told, PATIENCE)
        assert told == [[Outcome.UNAVAILABLE]]
        fresh_redis.start()
        wait_until(
            lambda: layer.apply([Send("in", content(2))]) == [Outcome.ACCEPTED],
            PATIENCE,
        )

        assert numbers(taking.result(PATIENCE)) == [2]


def test_what_was_written_without_an_answer_is_unknown(
    fresh_redis: RedisServer, layer: RedisLayer, receiver: Receiver
) -> None:
    told: list[list[Outcome]] = []
    fresh_redis.pause()
    with ThreadPoolExecutor(1) as threads:
        taking = threads.submit(
            layer.apply_and_take, sends("in", 3), told.append, receiver, 64
        )
        threading.Event().wait(0.2)
        assert not told
        fresh_redis.kill()
        wait_until(lambda: told, PATIENCE)
        fresh_redis.start()
        wait_until(
            lambda: layer.apply([Send("in", content(7))]) == [Outcome.ACCEPTED],
            PATIENCE,
        )

        assert told == [[Outcome.UNKNOWN] * 3]
        assert numbers(taking.result(PATIENCE)) == [7]


def test_scripts_that_were_forgotten_are_loaded_again(
    fresh_redis: RedisServer, layer: RedisLayer, receiver: Receiver
) -> None:
    fresh_redis.execute("SCRIPT", "FLUSH")
    told: list[list[Outcome]] = []
    with ThreadPoolExecutor(1) as threads:
        taking = threads.submit(
            layer.apply_and_take, sends("in", 1), told.append, receiver, 64
        )
        wait_until(lambda: told)
        receiver.wake()
        assert taking.result(PATIENCE) == []

    assert told == [[Outcome.UNAVAILABLE]]
    # The layer's other connections find it out by themselves.
    wait_until(lambda: layer.apply(sends("in", 1)) == [Outcome.ACCEPTED])
    assert numbers(receiver.take(64)) == [0]
    assert errand(layer, receiver, sends("in", 2)) == ([Outcome.ACCEPTED] * 2, [0, 1])


def test_groups_among_them_reach_their_members(
    layer: RedisLayer, receiver: Receiver
) -> None:
    operations: list[Operation] = [
        GroupAdd("all", "in"),
        GroupAdd("all", "gone!ada"),
        GroupSend("all", content(5)),
        Send("other", content(6)),
    ]

    outcomes, taken = errand(layer, receiver, operations)

    taken += numbers(take_all(receiver, 2 - len(taken)))
    assert outcomes == [Outcome.ACCEPTED] * 4
    assert sorted(taken) == [5, 6]


def test_quiet_channels_are_in_a_take_that_meets_a_flood(
    layer: RedisLayer, receiver: Receiver
) -> None:
    flood = [*sends("in", 1000), Send("other", content(-2)), Send("third", content(-3))]

    _, taken = errand(layer, receiver, flood)

    assert {-2, -3} < set(taken)
    assert len(taken) == 64
    again = numbers(take_all(receiver, 1002 - 64))
    kept = [number for number in taken + again if number >= 0]
    assert kept == list(range(1000))


def test_wakes_and_errands_lose_nothing(layer: RedisLayer, receiver: Receiver) -> None:
    stop = threading.Event()
    taken: list[int] = []

    def wake() -> None:
        while not stop.wait(0.0005):
            receiver.wake()

    with ThreadPoolExecutor(1) as threads:
        waking = threads.submit(wake)
        for number in range(500):
            taken += errand(layer, receiver, [Send("in", content(number))])[1]
        stop.set()
        waking.result()

    taken += numbers(receiver.take(64, 0.5)) + numbers(receiver.take(64, 0.5))
    assert taken == list(range(500))


def test_flushes_of_several_threads_keep_the_order_of_each(layer: RedisLayer) -> None:
    out, receiver = Out(layer), layer.receiver(["in"])
    stop = threading.Event()

    def send(channel: str) -> None:
        for number in range(300):
            out.add([Send(channel, content(number))])
            out.flush()

    def lead() -> None:
        number = 0
        while not stop.is_set():
            # Its own operation ends the wait for a message.
            out.add([Send("lead", content(number)), Send("in", content(number))])
            out.flush_and_take(receiver, 64)
            number += 1

    with ThreadPoolExecutor(3) as threads:
        leading = threads.submit(lead)
        senders = [threads.submit(send, channel) for channel in "ab"]
        for each in senders:
            each.result(PATIENCE)
        stop.set()
        layer.send("in", content(0))
        leading.result(PATIENCE)
    out.close()

    for channel in "ab":
        taken = take_all(layer.receiver([channel]), 300)
        assert numbers(taken) == list(range(300))
    waiting = layer.statistics(["lead"])["lead"].waiting
    led = numbers(take_all(layer.receiver(["lead"]), waiting))
    assert led == list(range(waiting))
