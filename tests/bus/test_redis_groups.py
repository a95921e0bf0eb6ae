"""How groups stand on Redis: what a send costs, and how the directory is mended."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

import pytest

from fairway.core.bus.layer import LayerPolicy, LayerPort
from fairway.core.bus.operations import GroupAdd, GroupSend
from fairway.core.bus.record import Canary, Kind, pack
from fairway.core.bus.redis import RedisLayer
from fairway.core.bus.redis.mailbox import RedisMailbox
from fairway.core.bus.redis.scripts import PUSH
from fairway.core.drops import Drop
from fairway.testing.layer_case import Collector, content, numbers, take_all, until
from tests.support.redis import RedisServer

Scenario = Callable[[LayerPort, RedisMailbox], Coroutine[Any, Any, None]]


@pytest.fixture
def layer(redis_url: str) -> Iterator[RedisLayer]:
    layer = RedisLayer(redis_url, LayerPolicy())
    yield layer
    layer.close()


class Monitor:
    """All commands that a server gets, as MONITOR shows them."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._socket = socket.create_connection(("127.0.0.1", server.port), 10)
        self._lines = self._socket.makefile("rb")
        self._socket.sendall(b"MONITOR\r\n")
        assert self._lines.readline() == b"+OK\r\n"

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def commands(self) -> list[str]:
        """Return what came so far."""
        self._server.execute("ECHO", "that is all")
        came: list[str] = []
        while "that is all" not in (line := self._lines.readline().decode()):
            came.append(line.partition("] ")[2])
        return came


def run(layer: RedisLayer, owner: Collector, scenario: Scenario) -> None:
    async def main() -> None:
        port = layer.port(asyncio.get_running_loop())
        mailbox = port.mailbox("test", owner)
        assert isinstance(mailbox, RedisMailbox)
        try:
            await scenario(port, mailbox)
        finally:
            await mailbox.close()
            await port.close()

    asyncio.run(asyncio.wait_for(main(), 40))


def test_a_group_send_to_two_thousand_members_is_one_push(
    redis_server: RedisServer, layer: RedisLayer
) -> None:
    owner = Collector()
    seen: list[str] = []

    async def scenario(port: LayerPort, mailbox: RedisMailbox) -> None:
        adds = [GroupAdd("room", f"{mailbox.name}!m{n}") for n in range(2_000)]
        await port.apply(adds)
        await until(lambda: len(owner.got) == 2_000)
        with closing(Monitor(redis_server)) as monitor:
            port.post(GroupSend("room", content(1)))
            await until(lambda: owner.of(Kind.GROUP))
            seen.extend(monitor.commands())

    run(layer, owner, scenario)

    assert sum(PUSH.sha in command for command in seen) == 1
    assert sum(command.startswith('"RPUSH"') for command in seen) == 1
    assert len(owner.of(Kind.GROUP)) == 1


def test_what_one_tick_posts_to_a_channel_is_one_push(
    redis_server: RedisServer, layer: RedisLayer
) -> None:
    seen: list[str] = []

    async def scenario(port: LayerPort, mailbox: RedisMailbox) -> None:
        await port.apply([GroupSend("nobody", content(0))])
        with closing(Monitor(redis_server)) as monitor:
            outcomes = await port.apply([GroupAdd("room", "plain")] * 2)
            outcomes += await port.apply(
                [GroupSend("room", content(number)) for number in range(50)]
            )
            assert len(outcomes) == 52
            seen.extend(monitor.commands())

    run(layer, Collector(), scenario)

    assert sum(PUSH.sha in command for command in seen) == 1
    assert sum(command.startswith('"SMEMBERS"') for command in seen) == 1


def test_a_repair_writes_members_that_the_directory_lost(
    redis_server: RedisServer, layer: RedisLayer
) -> None:
    owner = Collector()

    async def scenario(port: LayerPort, mailbox: RedisMailbox) -> None:
        owner.groups = {"room": {"a", "b"}, "hall": {f"m{n}" for n in range(2_500)}}

        await mailbox.upkeep.repair()

        found = await asyncio.to_thread(layer.group_channels, "room")
        assert sorted(found) == [f"{mailbox.name}!a", f"{mailbox.name}!b"]
        assert await asyncio.to_thread(layer.group_count, "hall") == 2_500

    run(layer, owner, scenario)


def test_a_repair_removes_what_it_finds_twice_in_a_row(layer: RedisLayer) -> None:
    owner = Collector()

    async def scenario(port: LayerPort, mailbox: RedisMailbox) -> None:
        await port.apply([GroupAdd("room", f"{mailbox.name}!{one}") for one in "ab"])
        owner.groups = {"room": {"a"}}

        await mailbox.upkeep.repair()
        once = await asyncio.to_thread(layer.group_channels, "room")
        await mailbox.upkeep.repair()
        twice = await asyncio.to_thread(layer.group_channels, "room")

        assert len(once) == 2
        assert twice == [f"{mailbox.name}!a"]

    run(layer, owner, scenario)


def test_a_repair_leaves_groups_that_the_owner_does_not_know(
    redis_server: RedisServer, layer: RedisLayer
) -> None:
    owner = Collector()

    async def scenario(port: LayerPort, mailbox: RedisMailbox) -> None:
        await port.apply([GroupAdd("room", f"{mailbox.name}!gone")])
        await port.apply([GroupSend("room", content(1))])
        await until(lambda: owner.of(Kind.GROUP))

        await mailbox.upkeep.repair()
        await mailbox.upkeep.repair()

        assert redis_server.execute("KEYS", "*g*:{room}*") == []

    run(layer, owner, scenario)


def test_nothing_is_left_when_a_mailbox_closes(
    redis_server: RedisServer, layer: RedisLayer
) -> None:
    owner = Collector()

    async def scenario(port: LayerPort, mailbox: RedisMailbox) -> None:
        await port.apply(
            [GroupAdd(f"room{n}", f"{mailbox.name}!a") for n in range(250)]
        )
        owner.groups = {f"room{n}": {"a"} for n in range(250)}

    run(layer, owner, scenario)

    assert redis_server.execute("KEYS", "*") == []


def test_every_key_has_a_time_to_live(
    redis_server: RedisServer, layer: RedisLayer
) -> None:
    layer.send("in", content(1))
    layer.send(layer.new_channel("one?"), content(1))
    layer.group_add("room", "plain")
    layer.group_add("room", "box!a")
    layer.claim("job", 60)

    keys = redis_server.execute("KEYS", "*")

    assert len(keys) == 8
    assert all(redis_server.execute("PTTL", key) > 0 for key in keys)


def test_an_add_is_never_undone_by_a_concurrent_discard(
    redis_server: RedisServer, redis_url: str
) -> None:
    def pairs(number: int) -> list[bool]:
        layer = RedisLayer(redis_url, LayerPolicy())
        member = f"box!m{number}"
        listed = []
        for _ in range(100):
            layer.group_add("room", member)
            listed.append(member in layer.group_channels("room"))
            layer.group_discard("room", member)
        layer.close()
        return listed

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(pairs, range(4)))

    assert all(map(all, found))
    assert redis_server.execute("KEYS", "*g*:{room}*") == []


def test_what_is_no_record_is_counted_and_disturbs_nobody(
    redis_server: RedisServer, layer: RedisLayer
) -> None:
    receiver = layer.receiver(["in"])
    layer.send("in", content(1))
    (key,) = redis_server.execute("KEYS", "*:in")
    canary = pack(Kind.CANARY, Canary(1), 4e9, life=60)
    redis_server.execute("RPUSH", key, "", "garbage", b"\x63" + canary[1:])
    layer.send("in", content(2))

    assert numbers(take_all(receiver, 2)) == [1, 2]
    assert layer.drops.counts() == {("in", Drop.INVALID): 2, ("in", Drop.VERSION): 1}


def test_what_is_no_record_leaves_a_full_channel_first(
    redis_server: RedisServer, redis_url: str
) -> None:
    layer = RedisLayer(redis_url, LayerPolicy(capacity=lambda channel: 2))
    layer.send("in", content(1))
    (key,) = redis_server.execute("KEYS", "*:in")
    redis_server.execute("LPUSH", key, "short")

    layer.send("in", content(2))

    assert numbers(take_all(layer.receiver(["in"]), 2)) == [1, 2]
    layer.close()


class Interrupted(Exception):
    pass


# An exception between the making of a socket and its assignment leaves it to the
# garbage collector, which warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_call_that_is_interrupted_leaves_no_answer_behind(layer: RedisLayer) -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    receiver = layer.receiver(["in"])
    try:
        for step in range(30):
            timer = threading.Timer(
                0.001 + step / 10_000,
                signal.pthread_kill,
                [threading.get_ident(), signal.SIGUSR1],
            )
            with suppress(Interrupted):
                timer.start()
                while True:
                    layer.claim("other", 60)
                    receiver.take(1, 0.001)
            timer.join()
            assert layer.claim(f"job{step}", 60) is True
            assert layer.group_channels("room") == []
    finally:
        signal.signal(signal.SIGUSR1, before)
    layer.send("in", content(1))
    assert numbers(take_all(receiver, 1)) == [1]
