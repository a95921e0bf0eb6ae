"""Readers are known by the names of their connections, for as long as these live."""

from __future__ import annotations

import contextlib

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.redis import RedisLayer
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until


def test_a_reader_is_known_from_its_first_take_until_it_closes(redis_url: str) -> None:
    layer = RedisLayer(redis_url, LayerPolicy())
    receiver = layer.receiver(["a.b", "c.d"])
    assert layer.readers() == []

    receiver.take(1, timeout=0.01)
    [reader] = layer.readers() or []
    assert reader.queues == ("a.b", "c.d")
    assert reader.silent < 10

    receiver.close()
    wait_until(lambda: layer.readers() == [])
    layer.close()


def test_readers_of_another_database_are_others(
    redis_url: str, redis_server: RedisServer
) -> None:
    other = RedisLayer(redis_url.replace("/0", "/1"), LayerPolicy())
    layer = RedisLayer(redis_url, LayerPolicy())
    other.receiver(["a.b"]).take(1, timeout=0.01)

    assert layer.readers() == []
    assert len(other.readers() or []) == 1
    other.close()
    layer.close()


def test_nothing_is_known_when_somebody_waits_without_a_name(
    redis_url: str, fresh_redis: RedisServer
) -> None:
    layer = RedisLayer(fresh_redis.url, LayerPolicy())
    with contextlib.closing(fresh_redis.client()) as nameless:
        nameless.blmpop(0.01, 1, "somewhere", direction="LEFT")

        assert layer.readers() is None
    layer.close()


def test_a_server_that_forbids_names_is_read_all_the_same(
    fresh_redis: RedisServer,
) -> None:
    rules = ["on", ">pw", "~*", "&*", "+@all", "-client|setname", "-client|list"]
    fresh_redis.execute("ACL", "SETUSER", "me", *rules)
    url = f"redis://me:pw@127.0.0.1:{fresh_redis.port}/0"
    layer = RedisLayer(url, LayerPolicy())
    layer.send("a.b", b"\x80")

    receiver = layer.receiver(["a.b"])
    assert len(receiver.take(1, timeout=5)) == 1
    assert layer.readers() is None
    layer.close()
