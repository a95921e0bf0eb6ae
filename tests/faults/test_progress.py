"""With room for one message everywhere, consumers that send still get on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.faults.scene import Load, Scene
from tests.faults.test_processes import open_socket

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

ONE_EACH: dict[str, Any] = {"CAPACITIES": {"*": 1}}
CLIENTS = 6


def test_chains_between_channels_of_capacity_one_never_stop_the_workers(
    scene: Scene,
) -> None:
    scene.settings.update(ONE_EACH)
    scene.worker(threads=1)
    scene.worker(threads=1)
    _, port = scene.interface()

    async def talk(number: int) -> int:
        """Start chains that cross each other; count the messages that came."""
        socket = await open_socket(port)
        heard = 0
        for turn in range(10):
            await socket.send("chain 20")
            await socket.send(f"mark {100 * number + turn}")
            while await asyncio.wait_for(socket.recv(), 60) != str(100 * number + turn):
                heard += 1
        await socket.close()
        return heard

    async def scenario() -> list[int]:
        return await asyncio.gather(*(talk(number) for number in range(CLIENTS)))

    heard = asyncio.run(asyncio.wait_for(scenario(), 100))

    assert all(heard)
    noted = scene.noted()
    expected = {str(100 * n + turn) for n in range(CLIENTS) for turn in range(10)}
    assert {noted[text] for text in expected} == {1}
    assert scene.all_run()


def test_requests_through_a_channel_of_capacity_one_are_answered(scene: Scene) -> None:
    scene.settings.update(ONE_EACH)
    scene.worker(threads=1)
    _, port = scene.interface()
    with Load(port, clients=8, pause=0.0) as load:
        load.wait_for(200)

    assert load.statuses() == {200}
    load.check(scene.noted())
