"""How a take from Redis shares its room among many channels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.operations import Send
from fairway.core.bus.redis import RedisLayer
from fairway.testing.layer_case import content, numbers
from tests.support.redis import RedisServer

pytestmark = pytest.mark.standard

LIMIT = 64
QUIET = [f"quiet{number}" for number in range(40)]
TO_QUIET = [Send(channel, content(-1)) for channel in QUIET]
FLOOD = [Send("flooded", content(number)) for number in range(1000)]


@pytest.fixture
def layer(fresh_redis: RedisServer) -> Iterator[RedisLayer]:
    layer = RedisLayer(fresh_redis.url, LayerPolicy(capacity=lambda name: 10_000))
    yield layer
    layer.close()


def scripts(server: RedisServer) -> int:
    """Return how often scripts ran."""
    return int(server.execute("INFO", "commandstats")["cmdstat_evalsha"]["calls"])


@pytest.mark.parametrize("takes", [0, 1, 3])
@pytest.mark.parametrize("place", [0, 20, 40])
def test_forty_quiet_channels_that_begin_at_once_are_in_the_next_take(
    layer: RedisLayer, place: int, takes: int
) -> None:
    receiver = layer.receiver([*QUIET[:place], "flooded", *QUIET[place:]])
    layer.apply(FLOOD)
    came = [each for _ in range(takes) for each in receiver.take(LIMIT, 1)]
    layer.apply(TO_QUIET)

    taken = receiver.take(LIMIT, 1)

    assert {each.channel for each in taken} >= set(QUIET)
    assert len(taken) == LIMIT
    kept = [number for number in numbers(came + taken) if number >= 0]
    assert kept == list(range(len(kept)))


@pytest.mark.parametrize("wait", [0, 1])
@pytest.mark.parametrize(("limit", "takes"), [(8, 3), (1, 20)])
def test_channels_that_wait_for_room_take_turns(
    layer: RedisLayer, limit: int, takes: int, wait: float
) -> None:
    busy = [f"busy{number}" for number in range(20)]
    receiver = layer.receiver(busy)
    layer.apply([Send(channel, content(0)) for channel in busy for _ in range(100)])
    receiver.take(limit, 1)

    for _ in range(5):
        turn = [each for _ in range(takes) for each in receiver.take(limit, wait)]
        assert {each.channel for each in turn} == set(busy)


def test_one_busy_channel_fills_takes_without_a_script(
    layer: RedisLayer, fresh_redis: RedisServer
) -> None:
    receiver = layer.receiver([*QUIET, "flooded"])
    layer.apply(FLOOD)
    before = scripts(fresh_redis)
    receiver.take(LIMIT, 1)

    assert [len(receiver.take(LIMIT, 1)) for _ in range(10)] == [LIMIT] * 10
    assert scripts(fresh_redis) == before


@pytest.mark.parametrize("limit", [26, 64])
def test_a_flood_soon_fills_takes_among_many_channels(
    layer: RedisLayer, limit: int
) -> None:
    receiver = layer.receiver(["flooded", *QUIET[: 3 * limit // 4 - 2]])
    layer.apply(FLOOD)

    assert limit // 2 - 2 <= len(receiver.take(limit, 1)) < limit
    assert [len(receiver.take(limit, 1)) for _ in range(5)] == [limit] * 5
