"""What a plugin's own code raises is told to reporters, whoever catches it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.interfaces.recorder import read_to_end
from tests.interfaces.rig import Rig, rigged
from tests.interfaces.samples import faulty
from tests.support.loop import LoopThread, wait_until


@pytest.fixture
def rig(loop_thread: LoopThread) -> Iterator[Rig]:
    with rigged(loop_thread, {"faulty": {}, "datagram": {}}) as rig:
        faulty.HEARD.clear()
        yield rig


def hears(plugin: str, hook: str, error: str) -> None:
    wait_until(lambda: faulty.HEARD == [(plugin, hook, error)])


@pytest.mark.parametrize(
    ("says", "raised"),
    [
        ("received", "received"),
        ("closed", "closed"),
        ("deadline", "deadline_passed"),
    ],
)
def test_a_mapping_that_raises_is_told_and_its_connection_ends(
    rig: Rig, says: str, raised: str
) -> None:
    with rig.connect("faulty") as client:
        client.sendall(says.encode())

        assert read_to_end(client) == b""
        hears("faulty", says, f"a bug in {raised}")
        wait_until(lambda: rig.protocol("faulty").host.peers == 0)


def test_a_reply_that_a_mapping_cannot_write_is_told(rig: Rig) -> None:
    with rig.connect("faulty") as client:
        client.sendall(b"hello")
        rig.reply(rig.take("faulty.receive"), text="hello")

        hears("faulty", "deliver", "a bug in reply")
    assert rig.dropped("faulty", "failed") == 1


def test_a_datagram_that_a_mapping_cannot_read_is_told(rig: Rig) -> None:
    address = rig.protocol("datagram").ports[0].address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"bug", address)

        hears("datagram", "received", "a bug")


def test_work_beside_that_raises_is_told(rig: Rig) -> None:
    async def work() -> None:
        raise ValueError("a bug beside")

    rig.loop.call(lambda: rig.protocol("faulty").host.spawn(work()))

    hears("faulty", "spawn", "a bug beside")


def test_a_protocol_that_cannot_stop_is_told(loop_thread: LoopThread) -> None:
    with rigged(loop_thread, {"faulty": {}}):
        faulty.HEARD.clear()

    assert faulty.HEARD == [("faulty", "stop", "a bug in stop")]
