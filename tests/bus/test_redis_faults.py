"""What senders and receivers see when Redis fails, and how they go on."""

import asyncio
import itertools
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from fairway.core.bus.layer import ChannelLayer, Delivery, LayerPolicy, Receiver
from fairway.core.bus.operations import (
    Canary,
    GroupAdd,
    GroupSend,
    Operation,
    Outcome,
    Send,
)
from fairway.core.bus.record import Kind
from fairway.core.bus.redis import RedisLayer
from fairway.core.drops import Drop
from fairway.core.exceptions import LayerUnavailable
from fairway.testing.layer_case import Collector, content, numbers, take_all, until
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.standard

ACCEPTED, UNAVAILABLE, UNKNOWN = Outcome.ACCEPTED, Outcome.UNAVAILABLE, Outcome.UNKNOWN
PATIENCE = 30.0


@pytest.fixture
def layer(fresh_redis: RedisServer) -> Iterator[RedisLayer]:
    layer = RedisLayer(fresh_redis.url, LayerPolicy(capacity=lambda name: 100_000))
    yield layer
    layer.close()


class Reader:
    """A thread that takes from a channel all the time."""

    def __init__(self, layer: ChannelLayer, channel: str = "in") -> None:
        self.seen: Counter[int] = Counter()
        self.receiver: Receiver = layer.receiver([channel, "other"])
        self._stopping = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self.receiver.wake()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping:
            self.seen.update(numbers(self.receiver.take(64)))


@pytest.fixture
def reader(layer: RedisLayer) -> Iterator[Reader]:
    reader = Reader(layer)
    yield reader
    reader.stop()


def send(layer: ChannelLayer, number: int, timeout: float = 5.0) -> Outcome:
    (outcome,) = layer.apply([Send("in", content(number))], timeout)
    return outcome


def send_until_accepted(layer: ChannelLayer, number: int) -> None:
    """Send what was certainly not sent, as often as it takes."""
    wait_until(lambda: send(layer, number) is ACCEPTED, PATIENCE)


def send_until_seen(layer: ChannelLayer, reader: Reader, first: int) -> None:
    """Send different messages until one arrives.

    The first may be swallowed by a connection that its reader gave up during a pause:
    at most once, not at least once.
    """
    numbers = iter(range(first, first + 1_000))

    def seen() -> bool:
        send(layer, next(numbers))
        time.sleep(0.05)
        return any(number >= first for number in list(reader.seen))

    wait_until(seen, PATIENCE)


def outages(caplog: pytest.LogCaptureFixture) -> tuple[int, int]:
    """Return how often the log says that an outage began, and that one ended."""
    texts = [record.getMessage() for record in caplog.records]
    began = sum(" is unavailable: " in text for text in texts)
    return began, sum(" is available again " in text for text in texts)


def test_a_killed_redis_is_named_in_time_and_traffic_resumes(
    fresh_redis: RedisServer,
    layer: RedisLayer,
    reader: Reader,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert send(layer, 0) is ACCEPTED
    wait_until(lambda: reader.seen[0])

    fresh_redis.kill()
    began = time.monotonic()
    outcomes = [send(layer, number) for number in range(1, 6)]
    took = time.monotonic() - began
    fresh_redis.start()
    send_until_accepted(layer, 6)

    assert set(outcomes) <= {UNAVAILABLE, UNKNOWN}
    assert took < 25
    wait_until(lambda: reader.seen[6], PATIENCE)
    assert set(reader.seen.values()) == {1}
    assert outages(caplog) == (1, 1)


def test_nothing_that_was_taken_comes_back_with_a_snapshot(
    fresh_redis: RedisServer, layer: RedisLayer
) -> None:
    receiver = layer.receiver(["in"])
    for number in range(10):
        assert send(layer, number) is ACCEPTED
    fresh_redis.execute("SAVE")
    assert numbers(take_all(receiver, 10)) == list(range(10))

    fresh_redis.restart()

    assert fresh_redis.execute("DBSIZE") > 0
    send_until_accepted(layer, 10)
    assert numbers(take_all(receiver, 1)) == [10]
    assert receiver.take(10, 0.2) == []
    assert layer.drops.counts() == {("in", Drop.FAILOVER): 10}


def test_a_paused_redis_is_named_in_time_and_nothing_comes_twice(
    fresh_redis: RedisServer,
    layer: RedisLayer,
    reader: Reader,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert send(layer, 0) is ACCEPTED
    wait_until(lambda: reader.seen[0])

    fresh_redis.pause()
    began = time.monotonic()
    outcome = send(layer, 1, timeout=0.5)
    took = time.monotonic() - began
    unmade = send(layer, 2, timeout=0.5)
    fresh_redis.resume()
    send_until_seen(layer, reader, 3)

    assert (outcome, unmade) == (UNKNOWN, UNAVAILABLE)
    assert took < 4
    assert set(reader.seen.values()) == {1}
    assert outages(caplog) == (1, 1)


def test_a_long_pause_is_one_outage(
    fresh_redis: RedisServer,
    layer: RedisLayer,
    reader: Reader,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert send(layer, 0) is ACCEPTED
    wait_until(lambda: reader.seen[0])

    fresh_redis.pause()
    wait_until(lambda: outages(caplog)[0], PATIENCE)
    fresh_redis.resume()
    send_until_seen(layer, reader, 1)

    assert set(reader.seen.values()) == {1}
    assert outages(caplog) == (1, 1)


def test_a_take_ends_in_time_while_redis_is_paused(
    fresh_redis: RedisServer, layer: RedisLayer
) -> None:
    receiver = layer.receiver(["in"])
    assert receiver.take(1, 0.01) == []

    fresh_redis.pause()
    began = time.monotonic()
    assert receiver.take(1, 0.2) == []
    took = time.monotonic() - began
    fresh_redis.resume()

    assert took < 10
    assert send(layer, 1) is ACCEPTED
    assert numbers(take_all(receiver, 1)) == [1]


def test_what_redis_took_for_a_take_that_timed_out_is_in_the_next(
    fresh_redis: RedisServer, layer: RedisLayer
) -> None:
    receiver = layer.receiver(["in"])
    assert receiver.take(1, 0.01) == []
    assert send(layer, 1) is ACCEPTED

    fresh_redis.pause()
    assert receiver.take(1, 0.05) == []
    fresh_redis.resume()

    assert numbers(take_all(receiver, 1)) == [1]


def test_wake_and_close_work_while_redis_is_away(
    fresh_redis: RedisServer, layer: RedisLayer
) -> None:
    reader = Reader(layer)
    assert send(layer, 0) is ACCEPTED
    wait_until(lambda: reader.seen[0])

    fresh_redis.kill()

    reader.stop()
    reader.receiver.close()


def test_a_wrong_password_is_named_and_shows_no_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with RedisServer(password="right") as server:
        layer = RedisLayer(server.url.replace("right", "guess"), LayerPolicy())
        receiver = layer.receiver(["in"])

        with pytest.raises(LayerUnavailable) as caught:
            layer.send("in", content(1))
        assert receiver.take(1, 0.5) == []
        layer.close()

    expected = (
        f"channel layer redis://127.0.0.1:{server.port}/0 is unavailable: "
        "wrong username or password"
    )
    assert str(caught.value) == expected
    assert [record.getMessage() for record in caplog.records] == [expected]


def test_an_outage_whose_reason_changes_says_so_once_for_each_reason(
    fresh_redis: RedisServer, layer: RedisLayer, caplog: pytest.LogCaptureFixture
) -> None:
    assert send(layer, 0) is ACCEPTED
    with fresh_redis.locked():
        assert [send(layer, 1) for _ in range(3)] == [UNAVAILABLE] * 3
    fresh_redis.kill()
    assert [send(layer, 2) for _ in range(3)] == [UNAVAILABLE] * 3
    fresh_redis.start()
    send_until_accepted(layer, 3)

    texts = [record.getMessage().partition("/0 ")[2] for record in caplog.records]
    assert texts[:2] == [
        "is unavailable: the server wants a password, and the URL has none",
        "is unavailable, now: Connection refused",
    ]
    assert texts[2].startswith("is available again after ")
    assert len(texts) == 3


def test_the_end_of_an_outage_says_how_much_had_no_answer(
    fresh_redis: RedisServer, layer: RedisLayer, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(loop: Loop) -> None:
        assert await asyncio.to_thread(send, layer, 0) is ACCEPTED
        fresh_redis.pause()
        loop.port.post(Send("in", content(1)))
        await asyncio.to_thread(send, layer, 2, 0.5)
        await until(lambda: outages(caplog)[0], PATIENCE)
        await until(lambda: layer.drops.counts(), PATIENCE)
        fresh_redis.resume()
        await until(lambda: outages(caplog)[1], PATIENCE)

    in_loop(layer, scenario)

    assert layer.drops.counts()["in", Drop.UNKNOWN] == 1
    [end] = [r.getMessage() for r in caplog.records if "again" in r.getMessage()]
    assert end.endswith("; 2 operations had no answer")


def test_a_missing_password_is_named() -> None:
    with RedisServer(password="right") as server:
        layer = RedisLayer(server.url.replace(":right@", ""), LayerPolicy())

        with pytest.raises(LayerUnavailable, match="wants a password"):
            layer.send("in", content(1))
        layer.close()


def test_a_password_lets_in() -> None:
    with RedisServer(password="ri:g@ht/") as server:
        layer = RedisLayer(server.url, LayerPolicy())

        layer.send("in", content(1))

        assert numbers(layer.receiver(["in"]).take(1, 1)) == [1]
        layer.close()


def test_a_server_that_is_not_there_is_named(
    fresh_redis: RedisServer, layer: RedisLayer, caplog: pytest.LogCaptureFixture
) -> None:
    fresh_redis.kill()

    with pytest.raises(LayerUnavailable, match="Connection refused") as caught:
        layer.send("in", content(1))
    with pytest.raises(LayerUnavailable, match="Connection refused"):
        layer.group_channels("room")
    with pytest.raises(LayerUnavailable, match="Connection refused"):
        layer.claim("job", 1)

    assert caught.value.url == f"redis://127.0.0.1:{fresh_redis.port}/0"
    assert not caught.value.sent
    assert layer.receiver(["in"]).take(1, 0.2) == []
    assert outages(caplog) == (1, 0)


def test_a_killed_subscription_is_made_again(
    fresh_redis: RedisServer,
    layer: RedisLayer,
    reader: Reader,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert send(layer, 0) is ACCEPTED
    wait_until(lambda: reader.seen[0])
    time.sleep(0.05)

    fresh_redis.execute("CLIENT", "KILL", "TYPE", "normal")
    for number in range(1, 4):
        assert send(layer, number) is ACCEPTED

    wait_until(lambda: reader.seen.total() == 4, PATIENCE)
    assert set(reader.seen.values()) == {1}
    assert outages(caplog) == (1, 1)


def test_scripts_that_were_forgotten_are_loaded_again(
    fresh_redis: RedisServer, layer: RedisLayer, reader: Reader
) -> None:
    assert send(layer, 0) is ACCEPTED
    fresh_redis.execute("SCRIPT", "FLUSH")

    assert send(layer, 1) is UNAVAILABLE
    assert send(layer, 2) is ACCEPTED

    wait_until(lambda: reader.seen[2], PATIENCE)
    assert reader.seen[1] == 0


def test_a_server_without_memory_refuses_by_name(
    fresh_redis: RedisServer, layer: RedisLayer, caplog: pytest.LogCaptureFixture
) -> None:
    assert send(layer, 0) is ACCEPTED

    with fresh_redis.without_memory():
        with pytest.raises(LayerUnavailable, match="OOM"):
            layer.send("in", content(1))
        assert send(layer, 2) is UNAVAILABLE
    assert send(layer, 3) is ACCEPTED

    assert numbers(take_all(layer.receiver(["in"]), 2)) == [0, 3]
    texts = [record.getMessage() for record in caplog.records]
    assert sum(" refuses writes: " in text for text in texts) == 1
    assert sum(" takes writes again " in text for text in texts) == 1
    assert len(texts) == 2


def test_a_replica_is_not_used_and_its_promotion_is_noticed(
    fresh_redis: RedisServer, layer: RedisLayer, reader: Reader
) -> None:
    assert send(layer, 0) is ACCEPTED

    with fresh_redis.demoted():
        assert send(layer, 1) is UNAVAILABLE
        with pytest.raises(LayerUnavailable, match="read-only replica"):
            layer.send("in", content(2))
    send_until_accepted(layer, 3)

    wait_until(lambda: reader.seen[3], PATIENCE)
    assert reader.seen == {0: 1, 3: 1}


class Loop:
    """A port and a mailbox of a scenario."""

    def __init__(self, layer: ChannelLayer) -> None:
        self.owner = Collector()
        self.port = layer.port(asyncio.get_running_loop())
        self.box = self.port.mailbox("test", self.owner)
        self.address = f"{self.box.name}!me"

    async def __aenter__(self) -> "Loop":
        await until(self._subscribed)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.box.close()
        await self.port.close()

    async def apply(self, operation: Operation, timeout: float = 5.0) -> Outcome:
        (outcome,) = await self.port.apply([operation], timeout)
        return outcome

    async def insist(self, operation: Operation) -> None:
        end = time.monotonic() + PATIENCE
        while await self.apply(operation) is not ACCEPTED:
            assert time.monotonic() < end
            await asyncio.sleep(0.02)

    async def send_anew(self, numbers: Iterator[int]) -> int:
        """Send different messages until one is accepted; return its number.

        The mailbox's connection may give up before the port's, which then takes along
        what was sent meanwhile: nobody knows what became of that, and it must not be
        sent again.
        """
        end = time.monotonic() + PATIENCE
        for number in numbers:
            if await self.apply(Send(self.address, content(number))) is ACCEPTED:
                return number
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        raise AssertionError

    def _subscribed(self) -> bool:
        if not self.owner.of(Kind.CANARY):
            self.port.post(Canary(self.box.name, 1))
        return bool(self.owner.of(Kind.CANARY))


def in_loop(layer: ChannelLayer, scenario: Callable[[Loop], object]) -> Collector:
    async def run() -> Collector:
        async with Loop(layer) as loop:
            await scenario(loop)  # type: ignore[misc]
        return loop.owner

    return asyncio.run(asyncio.wait_for(run(), 2 * PATIENCE))


def test_a_loop_goes_on_after_a_restart_and_its_members_are_restored(
    fresh_redis: RedisServer, layer: RedisLayer, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes: list[Outcome] = []

    async def scenario(loop: Loop) -> None:
        await loop.insist(GroupAdd("room", loop.address))
        loop.owner.groups = {"room": {"me"}}
        fresh_redis.kill()
        await asyncio.sleep(0.05)
        outcomes.append(await loop.apply(Send(loop.address, content(1))))
        fresh_redis.start()
        await until(lambda: loop.address in _members(fresh_redis, "room"), PATIENCE)
        await loop.insist(GroupSend("room", content(2)))
        await until(lambda: loop.owner.of(Kind.GROUP), PATIENCE)

    owner = in_loop(layer, scenario)

    assert outcomes[0] in {UNAVAILABLE, UNKNOWN}
    assert len(owner.of(Kind.GROUP)) == 1
    assert outages(caplog) == (1, 1)


def test_a_loop_names_a_paused_redis_in_time_and_goes_on(
    fresh_redis: RedisServer, layer: RedisLayer, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes: list[Outcome] = []

    async def scenario(loop: Loop) -> None:
        fresh_redis.pause()
        outcomes.append(await loop.apply(Send(loop.address, content(1)), 0.5))
        await until(lambda: outages(caplog)[0], PATIENCE)
        fresh_redis.resume()
        anew = itertools.count(2)
        await loop.send_anew(anew)
        # The first may be swallowed by the connection that the mailbox gave up.
        last = await loop.send_anew(anew)
        await until(lambda: last in numbers(_messages(loop.owner)), PATIENCE)

    owner = in_loop(layer, scenario)

    assert outcomes == [UNKNOWN]
    assert max(Counter(numbers(_messages(owner))).values()) == 1
    assert outages(caplog) == (1, 1)


def test_a_loop_whose_connections_are_killed_goes_on(
    fresh_redis: RedisServer, layer: RedisLayer, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(loop: Loop) -> None:
        await asyncio.to_thread(fresh_redis.execute, "CLIENT", "KILL", "TYPE", "normal")
        await loop.insist(Send(loop.address, content(1)))
        await until(lambda: _messages(loop.owner), PATIENCE)

    owner = in_loop(layer, scenario)

    assert numbers(_messages(owner)) == [1]
    assert outages(caplog) == (1, 1)


def test_a_loop_is_told_that_a_server_refuses(
    fresh_redis: RedisServer, layer: RedisLayer, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes: list[Outcome] = []

    async def scenario(loop: Loop) -> None:
        sends = [Send(loop.address, content(number)) for number in range(3)]
        with fresh_redis.without_memory():
            outcomes.extend([await loop.apply(each) for each in sends])
        outcomes.extend([await loop.apply(each) for each in sends])
        await until(lambda: len(_messages(loop.owner)) == 3, PATIENCE)

    in_loop(layer, scenario)

    assert outcomes == [UNAVAILABLE] * 3 + [ACCEPTED] * 3
    assert len(caplog.records) == 2


def test_what_waits_in_a_mailbox_is_delivered_without_memory(
    fresh_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    lease, count = 0.03, 300  # more than one read takes, so that some wait
    layer = RedisLayer(fresh_redis.url, LayerPolicy(mailbox_lease=lease))

    async def scenario(loop: Loop) -> None:
        sends = [Send(loop.address, content(number)) for number in range(count)]
        assert set(layer.apply(sends)) == {ACCEPTED}
        with fresh_redis.without_memory():
            time.sleep(lease)  # noqa: ASYNC251 (the lease is to be renewed now)
            await until(lambda: len(_messages(loop.owner)) == count, PATIENCE)
        await loop.insist(GroupAdd("room", loop.address))
        loop.owner.groups = {"room": {"me"}}
        await until(lambda: _members(fresh_redis, "room"), PATIENCE)

    owner = in_loop(layer, scenario)
    layer.close()

    assert numbers(_messages(owner)) == list(range(count))
    assert outages(caplog) == (0, 0)


def test_a_receiver_hands_over_what_waits_in_a_mailbox_without_memory(
    fresh_redis: RedisServer, layer: RedisLayer, caplog: pytest.LogCaptureFixture
) -> None:
    layer.apply([Send("host!me", content(number)) for number in range(6)])
    receiver = layer.receiver(["host!"])

    with fresh_redis.without_memory():
        assert numbers(receiver.take(3, 0)) == [0, 1, 2]
        assert numbers(receiver.take(3, 0)) == [3, 4, 5]
    assert receiver.take(1, 0) == []

    assert fresh_redis.execute("KEYS", "*l:{host}*")
    assert outages(caplog) == (0, 0)


def test_a_loop_loads_scripts_that_were_forgotten(
    fresh_redis: RedisServer, layer: RedisLayer, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(loop: Loop) -> None:
        fresh_redis.execute("SCRIPT", "FLUSH")
        assert await loop.apply(Send(loop.address, content(1))) is UNAVAILABLE
        await loop.insist(Send(loop.address, content(2)))
        await until(lambda: _messages(loop.owner), PATIENCE)

    owner = in_loop(layer, scenario)

    assert numbers(_messages(owner)) == [2]
    assert outages(caplog) == (0, 0)


def test_posting_without_a_server_is_unavailable(
    fresh_redis: RedisServer, layer: RedisLayer, caplog: pytest.LogCaptureFixture
) -> None:
    fresh_redis.kill()

    async def scenario() -> list[Outcome]:
        told: list[Outcome] = []
        port = layer.port(asyncio.get_running_loop())
        for count in range(1, 4):
            port.post(Send("in", content(1)), told.append)
            await until(lambda: len(told) == count)  # noqa: B023
        with pytest.raises(LayerUnavailable, match="Connection refused"):
            await port.claim("job", 1)
        await port.close()
        return told

    assert asyncio.run(scenario()) == [UNAVAILABLE] * 3
    assert outages(caplog) == (1, 0)


def test_an_apply_that_is_cancelled_anywhere_disturbs_nobody(
    fresh_redis: RedisServer, layer: RedisLayer
) -> None:
    async def scenario(loop: Loop) -> None:
        for steps in range(40):
            task = asyncio.ensure_future(
                loop.port.apply([GroupSend("room", content(steps)), Send("x", b"\x80")])
            )
            for _ in range(steps % 20):
                await asyncio.sleep(0)
            task.cancel()
            assert await loop.port.claim(f"job{steps}", 60) is True
            assert await loop.port.claim(f"job{steps}", 60) is False

    in_loop(layer, scenario)


def test_a_host_that_slept_above_its_lease_is_a_member_again(
    fresh_redis: RedisServer,
) -> None:
    policy = LayerPolicy(mailbox_lease=0.6)
    layer, other = (RedisLayer(fresh_redis.url, policy) for _ in range(2))

    async def scenario(loop: Loop) -> None:
        await loop.insist(GroupAdd("room", loop.address))
        loop.owner.groups = {"room": {"me"}}
        time.sleep(1.0)  # noqa: ASYNC251 (the loop is to stand still)
        other.group_send("room", content(1))
        assert other.group_channels("room") == []
        await until(lambda: _members(fresh_redis, "room"), PATIENCE)
        await loop.insist(GroupSend("room", content(2)))
        await until(lambda: loop.owner.of(Kind.GROUP), PATIENCE)

    in_loop(layer, scenario)
    for each in (layer, other):
        each.close()


_CHILD = """
import asyncio, sys
from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.operations import GroupAdd
from fairway.core.bus.redis import RedisLayer
from fairway.testing.layer_case import Collector

async def main():
    layer = RedisLayer(sys.argv[1], LayerPolicy(mailbox_lease=0.6))
    port = layer.port(asyncio.get_running_loop())
    box = port.mailbox("child", Collector())
    await port.apply([GroupAdd("room", box.name + "!me")])
    await asyncio.sleep(0.5)
    print("ready", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_process_that_was_killed_leaves_its_groups_with_its_lease(
    fresh_redis: RedisServer,
) -> None:
    layer = RedisLayer(fresh_redis.url, LayerPolicy(mailbox_lease=0.6))
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, fresh_redis.url],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": ""},
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        assert len(layer.group_channels("room")) == 1
    finally:
        child.kill()
        child.communicate()

    wait_until(lambda: layer.group_channels("room") == [], PATIENCE)
    layer.group_send("room", content(1))
    assert fresh_redis.execute("KEYS", "*gm:*") == []
    layer.close()


def _members(server: RedisServer, group: str) -> list[str]:
    layer = RedisLayer(server.url, LayerPolicy())
    try:
        return layer.group_channels(group)
    except LayerUnavailable:
        return []
    finally:
        layer.close()


def _messages(owner: Collector) -> list[Delivery]:
    return [each for each in owner.got if each.kind is Kind.MESSAGE]
