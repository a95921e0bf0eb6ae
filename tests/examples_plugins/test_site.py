"""A site of real processes: IRC, MQTT and WebSocket hold one conversation."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.examples_plugins.mosquitto import Broker, Device, running_broker
from tests.support.processes import (
    Process,
    free_port,
    run_manage,
    run_python,
    wait_until,
)

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

SITE = "tests/examples_plugins/site"
UP, DOWN = "devices/kitchen/up", "devices/kitchen/down"


class Site:
    """Two interface servers and a worker over Redis, and a broker beside them."""

    def __init__(self, environment: dict[str, str], broker: Broker) -> None:
        self.environment = environment
        self.broker = broker
        self.web, self.irc = free_port(), free_port()
        self.servers: list[Process] = []

    @contextlib.contextmanager
    def running(self, servers: int) -> Iterator[None]:
        """Run it while the block lasts."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(
                run_manage(SITE, "runworker", environment=self._with(self.irc))
            )
            for number in range(servers):
                web, irc = (
                    (free_port(), free_port()) if number else (self.web, self.irc)
                )
                server = stack.enter_context(
                    run_manage(
                        SITE,
                        *("runinterface", "--port", str(web)),
                        environment=self._with(irc),
                    )
                )
                server.wait_for_port(web)
                self.servers.append(server)
            for server in self.servers:
                wait_until(lambda: "connected to 127.0.0.1" in server.output())  # noqa: B023
            yield

    def _with(self, irc: int) -> dict[str, str]:
        return {**self.environment, "MEETING_IRC_PORT": str(irc)}


@pytest.fixture
def site(installed: Path, redis_url: str, tmp_path: Path) -> Iterator[Site]:
    with running_broker() as broker:
        environment = {
            "PYTHONPATH": str(installed),
            "MEETING_LAYER": redis_url,
            "MEETING_MQTT_PORT": str(broker.port),
            "MEETING_SESSIONS": str(tmp_path),
        }
        yield Site(environment, broker)


def test_what_one_says_is_heard_over_all_three(site: Site) -> None:
    with (
        site.running(servers=2),
        Device(site.broker, DOWN) as kitchen,
        connect(f"ws://127.0.0.1:{site.web}/", proxy=None) as page,
    ):
        assert page.recv(20) == "welcome over websocket"
        kitchen.publish(UP, "21 degrees")
        assert kitchen.hear() == "welcome over mqtt"
        assert (kitchen.hear(), page.recv(20)) == ("mqtt 1: 21 degrees",) * 2

        client = ("-m", "tests.examples_plugins.irc_client", str(site.irc), "#tea")
        with run_python(".", *client, "tea, please", "and milk") as ada:
            for said in ("irc 1: tea, please", "irc 2: and milk"):
                assert (kitchen.hear(), page.recv(20)) == (said,) * 2
            page.send("here")
            assert (kitchen.hear(), page.recv(20)) == ("websocket 1: here",) * 2
            kitchen.publish(UP, "22 degrees")
            assert (kitchen.hear(), page.recv(20)) == ("mqtt 2: 22 degrees",) * 2

            wait_until(lambda: "22 degrees" in ada.output(), what="IRC")
            assert ada.output().splitlines() == [
                "signed on",
                "site ada welcome over irc",
                "joined #tea",
                *(
                    f"site #tea {said}"
                    for said in (
                        "irc 1: tea, please",
                        "irc 2: and milk",
                        "websocket 1: here",
                        "mqtt 2: 22 degrees",
                    )
                ),
            ]
        assert kitchen.heard.empty()  # two servers did not double anything


def test_replies_wait_for_a_broker_that_is_away(site: Site) -> None:
    with site.running(servers=1):
        with Device(site.broker, DOWN) as kitchen:
            kitchen.publish(UP, "hello")
            assert kitchen.hear() == "welcome over mqtt"
            assert kitchen.hear() == "mqtt 1: hello"
        site.broker.end()
        with connect(f"ws://127.0.0.1:{site.web}/", proxy=None) as page:
            page.recv(20)
            page.send("is anybody there?")
            page.recv(20)

        # Nobody can be subscribed before the site is, so the broker keeps the text.
        wait_until(lambda: "no broker" in site.servers[0].output())
        site.broker.start()
        with Device(site.broker, DOWN) as kitchen:
            wait_until(lambda: site.servers[0].output().count("connected to 127") == 2)
            kitchen.publish(UP, "back")
            heard = [kitchen.hear()]
            if heard == ["websocket 1: is anybody there?"]:
                heard = [kitchen.hear()]
            assert heard == ["mqtt 2: back"]


def test_a_server_that_stops_hands_on_what_it_has(site: Site) -> None:
    with (
        site.running(servers=2),
        Device(site.broker, DOWN) as kitchen,
    ):
        kitchen.publish(UP, "0")
        kitchen.hear()
        for number in range(1, 101):
            if number == 50:
                site.servers[0].child.send_signal(signal.SIGTERM)
            kitchen.publish(UP, str(number))

        said = [kitchen.hear().partition(": ")[2] for _ in range(101)]

        assert sorted(map(int, said)) == list(range(101))
        assert site.servers[0].child.wait(30) == 0
