"""Conversations through whichever of two interface servers a balancer chooses."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.redis import RedisLayer
from tests.support.balancer import Balancer
from tests.support.loop import wait_until
from tests.support.redis import RedisServer

from .conftest import Served
from .poller import Poller

Serve = Callable[..., Served]


@pytest.fixture
def two(serve_polls: Serve) -> Served:
    """Return two servers of one site."""
    return serve_polls(servers=2)


@pytest.fixture
def crossing(two: Served) -> Poller:
    """Return a conversation of the first server, whose requests go to the second."""
    first, second = two.poller(server=0), two.poller(server=1)
    first.begin()
    second.token = first.token
    return second


def test_messages_go_both_ways_through_the_other_server(crossing: Poller) -> None:
    assert crossing.send("a", {"bytes": "AP8="}, first=1).json() == {"received": 2}
    assert crossing.hear_all(2) == ["a", {"bytes": "AP8="}]


def test_a_request_may_wait_at_the_other_server(two: Served, crossing: Poller) -> None:
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(crossing.hear)
        wait_until(lambda: len(two.protocol(0).waiting) == 1)

        two.broadcast("all", text="hello")

        assert heard.result(20) == ["hello"]


def test_a_long_answer_crosses_in_pieces(two: Served, crossing: Poller) -> None:
    text = "x" * 600_000
    (connect,) = two.events("connect")
    two.reply(connect, text=text)
    two.reply(connect, text=text)

    assert crossing.hear_all(2) == [text, text]


def test_a_stream_crosses_and_ends_with_the_close(
    two: Served, crossing: Poller
) -> None:
    with crossing.stream() as lines:
        assert next(lines) == ":"
        crossing.send("a")
        while (line := next(lines)) != 'data: "a"':
            assert line in ("", "id: 1")
        two.reply(two.events("connect")[0], close=True)

        assert "event: close" in list(lines)


@pytest.mark.standard
def test_a_stream_that_crosses_ends_in_time_so_that_a_dead_server_is_noticed(
    serve_polls: Serve,
) -> None:
    served = serve_polls(servers=2, poll_timeout=0.1)
    first, second = served.poller(server=0), served.poller(server=1)
    first.begin()
    second.token = first.token

    with second.stream() as lines:
        assert set(lines) == {":", ""}


@pytest.mark.standard
def test_who_leaves_the_other_server_is_known_to_have_left(
    serve_polls: Serve,
) -> None:
    served = serve_polls(servers=2, idle_timeout=0.5)
    first, second = served.poller(server=0), served.poller(server=1)
    first.begin()
    second.token = first.token
    with second.stream() as lines:
        assert next(lines) == ":"
        assert len(served.protocol(0).waiting) == 1

    served.wait_for("disconnect")

    assert not served.protocol(1)._relay._relayed
    assert not served.protocol(0)._relay._remote


def test_an_ended_conversation_is_gone_at_once(two: Served, crossing: Poller) -> None:
    crossing.send(close={})
    two.wait_for("disconnect")

    answer = crossing.poll()

    assert (answer.status_code, answer.json()["error"]) == (410, "gone, reconnect")


@pytest.mark.standard
def test_a_conversation_of_a_dead_server_is_gone(serve_polls: Serve) -> None:
    served = serve_polls(servers=2, relay_timeout=0.2)
    first, second = served.poller(server=0), served.poller(server=1)
    first.begin()
    second.token = first.token
    served.loop.run(served.servers[0].stop(0.0))

    assert second.poll().status_code == 410
    assert second.send("a").status_code == 410
    assert second.begin().status_code == 410  # with a token nothing begins

    second.token = ""
    assert second.begin().status_code == 200


def test_a_server_that_stops_lets_its_guests_ask_elsewhere(
    two: Served, crossing: Poller
) -> None:
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(crossing.poll)
        wait_until(lambda: len(two.protocol(0).waiting) == 1)
        two.loop.run(two.servers[1].stop(0.2))

        assert heard.result(20).json() == {"messages": []}

    assert not two.events("disconnect")


def test_a_server_that_stops_tells_its_clients_through_the_others(
    two: Served, crossing: Poller
) -> None:
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(crossing.poll)
        wait_until(lambda: len(two.protocol(0).waiting) == 1)
        two.loop.run(two.servers[0].stop(0.2))

        assert heard.result(20).json()["close"]["code"] == 1012


@pytest.mark.standard
def test_behind_a_balancer_without_stickiness_nothing_is_lost_or_doubled(
    serve_polls: Serve, fresh_redis: RedisServer
) -> None:
    policy = LayerPolicy(capacity=lambda _: 10_000)
    layer = RedisLayer(fresh_redis.url, policy)
    served = serve_polls(servers=2, layer=layer)
    with Balancer(served.ports) as balancer:
        client = served.poller_at(balancer.port)
        # Each request on a connection of its own: each at the next server.
        client.http.headers["connection"] = "close"
        assert client.begin().status_code == 200
        heard: list[str] = []
        for number in range(1, 31):
            # Answers get lost in between: the same is sent and asked for again.
            body = json.dumps({"first": number, "messages": [str(number)]}).encode()
            balancer.bites = number % 2
            while not _posted(client, body):
                balancer.bites = 0
            balancer.bites = int(number % 3 == 0)
            while (more := _heard(client)) is None:
                balancer.bites = 0
            heard += more
        while len(heard) < 30:
            heard += client.hear()

    assert heard == [str(number) for number in range(1, 31)]
    texts = [one["text"] for one in served.events("receive")]
    assert texts == heard


def _posted(client: Poller, body: bytes) -> bool:
    try:
        return client.post(body).status_code == 200
    except httpx.HTTPError:
        return False


def _heard(client: Poller) -> list[str] | None:
    try:
        return client.hear()
    except httpx.HTTPError:
        return None
