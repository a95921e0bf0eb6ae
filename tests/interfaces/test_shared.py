"""Shared peers: any server takes their events, one at a time carries their replies."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from fairway.core.bus.operations import GroupAdd, GroupSend
from fairway.core.content import decode_content, encode_content
from fairway.core.plugin.host import Refusal, Site
from fairway.core.plugin.loading import Plugins
from fairway.core.settings import read_settings
from fairway.interfaces.host import ProtocolHost
from fairway.interfaces.server import InterfaceServer
from tests.interfaces.rig import SAMPLES, Rig, rigged
from tests.support.loop import LoopThread, wait_until

ANN = "Ann & Bob, 7"


@pytest.fixture
def rig(loop_thread: LoopThread) -> Iterator[Rig]:
    with rigged(loop_thread, {"letters": {}}, capacity=2) as running:
        yield running


@pytest.fixture
def second(loop_thread: LoopThread, rig: Rig) -> Iterator[InterfaceServer]:
    """Another server over the same layer."""
    plugins = Plugins(read_settings({"PLUGINS": {f"{SAMPLES}.letters": {}}}))
    server = InterfaceServer(
        rig.layer, plugins, plugins.settings, Site(), canary=(0.1, 0.5)
    )
    loop_thread.run(server.start())
    yield server
    loop_thread.run(server.stop(0.1))


def delivered(server: InterfaceServer) -> list[tuple[str, dict[str, str]]]:
    protocol = server.protocols["letters"]
    return protocol.delivered  # type: ignore[attr-defined, no-any-return]


def carrier(*servers: InterfaceServer) -> InterfaceServer:
    """Return the server that carries the replies, once one does."""
    found: list[InterfaceServer] = []

    def look() -> bool:
        found[:] = [s for s in servers if s._hosts[0].shared.carries]  # type: ignore[union-attr]
        return bool(found)

    wait_until(look)
    assert len(found) == 1
    return found[0]


def test_an_event_has_the_same_peer_and_reply_channel_on_every_server(
    loop_thread: LoopThread, rig: Rig, second: InterfaceServer
) -> None:
    taken = []
    for server in (rig.server, second):
        arrive = server.protocols["letters"].arrive(ANN, "hi")  # type: ignore[attr-defined]
        assert loop_thread.run(arrive) is None
        taken.append(rig.take("letters.receive"))

    assert taken[0].envelope == taken[1].envelope
    assert taken[0].envelope["peer"] == f"letters:{ANN}"
    assert taken[0].reply_channel.startswith("shared.letters!")
    assert "first" not in taken[0].envelope


def test_replies_come_in_order_to_the_one_server_that_carries_them(
    loop_thread: LoopThread, rig: Rig, second: InterfaceServer
) -> None:
    loop_thread.run(rig.protocol("letters").arrive(ANN, "hi"))
    taken = rig.take("letters.receive")
    for number in range(100):
        rig.reply(taken, text=str(number))

    holder = carrier(rig.server, second)

    wait_until(lambda: len(delivered(holder)) == 100)
    assert delivered(holder) == [
        (f"letters:{ANN}", {"text": str(n)}) for n in range(100)
    ]
    other = second if holder is rig.server else rig.server
    assert delivered(other) == []


@pytest.mark.standard
def test_another_server_carries_on_at_once_when_the_first_stops(
    loop_thread: LoopThread, rig: Rig, second: InterfaceServer
) -> None:
    loop_thread.run(rig.protocol("letters").arrive(ANN, "hi"))
    taken = rig.take("letters.receive")
    first = carrier(rig.server, second)
    other = second if first is rig.server else rig.server

    loop_thread.run(first.stop(0.1))
    rig.reply(taken, text="after")

    wait_until(lambda: delivered(other) == [(f"letters:{ANN}", {"text": "after"})])


def test_a_shared_peer_in_a_group_gets_what_is_sent_to_the_group(
    loop_thread: LoopThread, rig: Rig
) -> None:
    loop_thread.run(rig.protocol("letters").arrive(ANN, "hi"))
    taken = rig.take("letters.receive")

    send = GroupSend("all", encode_content({"text": "to all"}))
    rig.layer.apply([GroupAdd("all", taken.reply_channel), send])

    wait_until(lambda: len(delivered(rig.server)) == 1)
    assert delivered(rig.server) == [(f"letters:{ANN}", {"text": "to all"})]


def test_a_protocol_that_has_enough_leaves_replies_on_the_bus(
    loop_thread: LoopThread, rig: Rig
) -> None:
    loop_thread.run(rig.protocol("letters").arrive(ANN, "hi"))
    taken = rig.take("letters.receive")
    carrier(rig.server)
    loop_thread.call(lambda: rig.protocol("letters").host.hold_replies(False))
    rig.reply(taken, text="one")  # one more take was under way
    wait_until(lambda: len(delivered(rig.server)) == 1)

    rig.reply(taken, text="two")

    assert rig.layer.statistics(["shared.letters!"])["shared.letters!"].waiting == 1
    loop_thread.call(lambda: rig.protocol("letters").host.hold_replies(True))
    wait_until(lambda: len(delivered(rig.server)) == 2)


@pytest.mark.full
def test_a_protocol_that_has_enough_goes_on_carrying(
    loop_thread: LoopThread, rig: Rig, second: InterfaceServer
) -> None:
    first = carrier(rig.server, second)
    other = second if first is rig.server else rig.server
    hosts = first._hosts[0], other._hosts[0]
    assert hosts[1].shared is not None

    loop_thread.call(lambda: hosts[0].hold_replies(False))

    over = time.monotonic() + 20.0  # a lease is 15 seconds
    while time.monotonic() < over:
        assert not hosts[1].shared.carries
        time.sleep(0.2)


@pytest.mark.standard
def test_what_is_put_back_comes_to_the_server_that_carries_on(
    loop_thread: LoopThread, rig: Rig, second: InterfaceServer
) -> None:
    first = carrier(rig.server, second)
    other = second if first is rig.server else rig.server
    host = first._hosts[0]
    loop_thread.run(first.protocols["letters"].arrive(ANN, "hi"))  # type: ignore[attr-defined]

    def put_back() -> None:
        peer = host.open_peer(None, client=ANN, key=ANN)
        host.put_back(peer, {"text": "later"})

    assert host.shared is not None
    loop_thread.run(host.shared.stop())
    loop_thread.call(put_back)
    assert not delivered(other)
    loop_thread.run(host.shared.give_up())

    wait_until(lambda: delivered(other) == [(f"letters:{ANN}", {"text": "later"})])


def test_a_claim_with_an_owner_can_be_renewed_and_given_up(
    loop_thread: LoopThread, rig: Rig, second: InterfaceServer
) -> None:
    one, two = rig.server._hosts[0], second._hosts[0]

    def claim(host: ProtocolHost, ttl: float, owner: str) -> bool:
        return loop_thread.run(host.claim("a", ttl, owner))

    assert claim(one, 60.0, "one")
    assert not claim(two, 60.0, "two")
    assert claim(one, 60.0, "one")
    claim(one, 0.0, "one")
    assert claim(two, 60.0, "two")


def test_whoever_waits_for_an_event_hears_that_its_channel_is_full(
    loop_thread: LoopThread, rig: Rig
) -> None:
    arrive = rig.protocol("letters").arrive

    answers = [loop_thread.run(arrive(ANN, str(n))) for n in range(3)]

    assert answers == [None, None, Refusal.FULL]
    assert rig.dropped("letters.receive", "full") == 1
    assert rig.take("letters.receive").texts == ["0"]


def test_whoever_waits_hears_of_success_that_took_a_second_try(
    loop_thread: LoopThread, rig: Rig
) -> None:
    arrive = rig.protocol("letters").arrive
    for n in range(2):
        loop_thread.run(arrive(ANN, str(n)))

    async def third() -> Refusal | None:
        answer = loop_thread.loop.create_task(arrive(ANN, "2"))
        await loop_thread.loop.run_in_executor(None, rig.take, "letters.receive")
        why: Refusal | None = await answer
        return why

    assert loop_thread.run(third()) is None
    assert rig.dropped("letters.receive", "full") == 0


def test_a_shared_peer_needs_a_key(loop_thread: LoopThread, rig: Rig) -> None:
    host = rig.protocol("letters").host

    with pytest.raises(ValueError, match="needs a key"):
        loop_thread.call(lambda: host.open_peer(None, client="somebody"))


def test_state_of_a_peer_without_order_rides_with_its_later_events(
    loop_thread: LoopThread,
) -> None:
    with rigged(loop_thread, {"datagram": {}}) as rig:
        protocol = rig.protocol("datagram")
        port = protocol.ports[0]

        def arrive(data: bytes) -> None:
            loop_thread.call(lambda: protocol.received(port, data, ("127.0.0.1", 9)))

        arrive(b"one")
        first = rig.take("datagram.receive")
        assert "_state" not in first.envelope
        rig.done(first, {"count": 1})
        (peer,) = protocol._peers.values()
        wait_until(lambda: peer.kept)
        arrive(b"two")

        second = rig.take("datagram.receive")

    assert decode_content(second.envelope["_state"]) == {"count": 1}
