"""One conversation, one scenario, every protocol: two servers, two workers, a Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from socket import SOCK_DGRAM

import pytest

from tests.end_to_end.guests import DOORS, Guest, Ports
from tests.examples_plugins.mosquitto import running_broker
from tests.support.processes import free_port, run_manage, wait_until

pytestmark = [pytest.mark.standard, pytest.mark.timeout(180)]

SITE = "tests/end_to_end/one"
WITHOUT_A_CONNECTION = {"udp", "sms", "mqtt"}


@pytest.fixture
def servers(installed: Path, redis_url: str, tmp_path: Path) -> Iterator[list[Ports]]:
    """Run the site; return where its interface servers listen."""
    with ExitStack() as stack:
        broker = stack.enter_context(running_broker())
        ports = [
            Ports(free_port(), free_port(SOCK_DGRAM), free_port(), broker)
            for _ in range(2)
        ]

        def environment(of: Ports) -> dict[str, str]:
            return {
                "PYTHONPATH": str(installed),
                "FAIRWAY_LAYER": redis_url,
                "ONE_SESSIONS": str(tmp_path),
                "ONE_UDP_PORT": str(of.udp),
                "ONE_IRC_PORT": str(of.irc),
                "ONE_MQTT_PORT": str(broker.port),
            }

        for _ in range(2):
            worker = run_manage(SITE, "runworker", environment=environment(ports[0]))
            stack.enter_context(worker)
        processes = [
            stack.enter_context(
                run_manage(
                    SITE,
                    *("runinterface", "--port", str(each.web)),
                    environment=environment(each),
                )
            )
            for each in ports
        ]
        for each, process in zip(ports, processes, strict=True):
            process.wait_for_port(each.web)

        def have_the_broker() -> bool:
            return all("connected to 127.0.0.1" in one.output() for one in processes)

        wait_until(have_the_broker, what="the broker")
        yield ports


def come_in(name: str, guest: Guest) -> None:
    """Be welcomed: at once, or with the first thing that is said."""
    if name in WITHOUT_A_CONNECTION:
        guest.say("how often?")
    assert guest.hear() == f"welcome over {name}"
    if name in WITHOUT_A_CONNECTION:
        assert guest.hear() == "0 times"


def test_the_same_conversation_is_held_over_every_protocol(
    servers: list[Ports],
) -> None:
    with ExitStack() as stack:
        guests: dict[str, Guest] = {}
        for name, enter in DOORS.items():
            guests[name] = stack.enter_context(enter(servers))
            come_in(name, guests[name])

        # What one says, all hear, and each is counted for itself.
        for number, text in enumerate(("ahoy", "größer — 港"), start=1):
            for name, guest in guests.items():
                guest.say(text)
                heard = {other: each.hear() for other, each in guests.items()}
                assert heard == dict.fromkeys(guests, f"{name} {number}: {text}")

        # An answer is for who asked.
        for guest in guests.values():
            guest.say("how often?")
        assert {name: guest.hear() for name, guest in guests.items()} == (
            dict.fromkeys(guests, "2 times")
        )

        # Who leaves hears nothing more of the others, and is known all the same.
        while len(guests) > 1:
            name, gone = guests.popitem()
            gone.say("leave")
            assert gone.hear() == "farewell"
            speaker, guest = next(iter(guests.items()))
            guest.say("who is left?")
            heard = {other: each.hear() for other, each in guests.items()}
            assert len(set(heard.values())) == 1
            assert heard[speaker].endswith(": who is left?")
            gone.say("how often?")
            assert (name, gone.hear()) == (name, "2 times")
