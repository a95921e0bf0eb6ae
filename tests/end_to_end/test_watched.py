"""What operators see of a running site: its metrics, read as Prometheus reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.processes import Process, free_port, run_manage, wait_until
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.standard, pytest.mark.timeout(180)]

SITE = "tests/end_to_end/watched"
TOKEN = {"Authorization": "Bearer a-token-of-operators"}

Samples = dict[tuple[str, ...], float]


def scrape(url: str, headers: dict[str, str] | None = None) -> Samples:
    with urlopen(Request(url, headers=headers or {}), timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Site:
    """An interface server and a worker with one thread, and their metrics."""

    def __init__(self, stack: ExitStack, layer: str) -> None:
        self.port, own, worker = free_port(), free_port(), free_port()
        environment = {
            "FAIRWAY_LAYER": layer,
            "WATCHED_BIND": f"tcp:{own}:interface=127.0.0.1",
        }

        def start(*arguments: str) -> Process:
            return stack.enter_context(
                run_manage(SITE, *arguments, environment=environment)
            )

        self.interface = start("runinterface", "--port", str(self.port))
        self.worker = start(
            "runworker", "--threads", "1", "--metrics-port", str(worker)
        )
        self.interface_metrics = f"http://127.0.0.1:{own}/metrics"
        self.worker_metrics = f"http://127.0.0.1:{worker}/metrics"
        self.interface.wait_for_port(self.port)
        self.worker.wait_for_port(worker)

    def drops(self) -> dict[tuple[str, str], float]:
        """Return the drops of both, by channel and reason."""
        both = scrape(self.interface_metrics), scrape(self.worker_metrics)
        return {
            (key[1], key[2]): count
            for samples in both
            for key, count in samples.items()
            if key[0] == "fairway_drops_total"
        }

    def output(self) -> str:
        return self.interface.output() + self.worker.output()


@pytest.fixture
def site(fresh_redis: RedisServer) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(stack, fresh_redis.url)


async def say(chat: ClientConnection, text: str) -> None:
    await chat.send(text)
    async with asyncio.timeout(20):
        assert await chat.recv() == text


async def lose_messages(port: int) -> None:
    """Lose a message in each way that a site may meet any day."""
    url = f"ws://127.0.0.1:{port}"
    with pytest.raises(InvalidStatus):
        await connect(f"{url}/nowhere/")
    async with connect(f"{url}/chat/") as chat:
        for text in ("full", "expire", "unsupported"):
            await say(chat, text)
        await chat.send("filter")
        await say(chat, "hello")
        async with connect(f"{url}/chat/") as second:
            with pytest.raises(InvalidStatus):
                await connect(f"{url}/chat/")
            await second.send("raise")
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(second.recv(), 20)


DROPS = {
    ("narrow", "full"),
    ("brief", "expired"),
    ("websocket", "unsupported"),
    ("websocket", "limit"),
    ("websocket.receive", "failed"),
    ("websocket.receive", "filtered"),
    ("websocket.connect", "unrouted"),
}


def test_every_lost_message_shows_in_metrics_and_logs(site: Site) -> None:
    asyncio.run(lose_messages(site.port))

    wait_until(lambda: site.drops().keys() >= DROPS, what="all drops")
    drops, output = site.drops(), site.output()
    assert drops["narrow", "full"] == 2
    for channel, reason in DROPS:
        assert f"on {channel}: {reason}" in output
    gone = [key for key in drops if key[1] == "gone"]
    assert len(gone) == 1  # a mailbox, whatever its name
    for line in output.splitlines():
        if "on websocket" in line and ": limit" not in line:
            assert " peer=websocket:" in line


def test_a_message_shows_on_its_way(site: Site) -> None:
    async def talk() -> None:
        async with connect(f"ws://127.0.0.1:{site.port}/chat/") as chat:
            await say(chat, "hello")
            interface = await asyncio.to_thread(scrape, site.interface_metrics)
            assert interface["fairway_peers", "websocket"] == 1

    asyncio.run(talk())

    interface, worker = scrape(site.interface_metrics), scrape(site.worker_metrics)
    assert interface["fairway_events_total", "websocket.receive", "websocket"] == 1
    assert interface["fairway_replies_total", "websocket"] >= 1
    assert interface["fairway_interface_ready",] == 1
    consumer = "watched_consumers.receive"
    key = ("fairway_consumer_seconds_count", "websocket.receive", consumer)
    assert worker[key] == 1
    assert worker["fairway_bus_seconds_count", "websocket.receive"] == 1
    assert 0 <= worker["fairway_bus_seconds_sum", "websocket.receive"] < 60
    assert worker["fairway_queue_depth", "websocket.receive"] == 0


def test_metrics_are_served_while_redis_is_away(
    site: Site, fresh_redis: RedisServer
) -> None:
    assert scrape(site.worker_metrics)["fairway_layer_up",] == 1

    for lose in (fresh_redis.pause, fresh_redis.kill):
        lose()
        for url in (site.interface_metrics, site.worker_metrics):
            samples = scrape(url)
            assert samples["fairway_layer_up",] == 0
            assert ("process_cpu_seconds_total",) in samples


def test_the_token_is_for_the_port_that_everybody_reaches(site: Site) -> None:
    url = f"http://127.0.0.1:{site.port}/-/metrics"

    assert ("fairway_peers", "http") in scrape(url, TOKEN)
    with pytest.raises(HTTPError, match="403"):
        scrape(url, {"Authorization": "Bearer another"})


def test_one_process_shows_both_parts_on_one_page() -> None:
    port, own = free_port(), free_port()
    environment = {
        "FAIRWAY_LAYER": "memory://",
        "WATCHED_BIND": f"tcp:{own}:interface=127.0.0.1",
    }
    arguments = ("runserver", f"127.0.0.1:{port}", "--noreload")
    with run_manage(SITE, *arguments, environment=environment) as process:
        process.wait_for_port(port)
        process.wait_for_port(own)
        samples = scrape(f"http://127.0.0.1:{own}/metrics")
        by_token = scrape(f"http://127.0.0.1:{port}/-/metrics", TOKEN)

    for page in (samples, by_token):
        assert ("fairway_peers", "http") in page
        assert ("fairway_worker_ready",) in page
        assert page["fairway_queue_depth", "brief"] == 0
