"""Mixed traffic for minutes leaves nothing behind: no memory, no keys, no drops."""

from __future__ import annotations

import os
import re
import statistics
import time
from collections import Counter
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.faults.scene import Record, resident
from tests.full_size.house import House
from tests.full_size.traffic import Traffic
from tests.support.processes import Process, free_port, wait_until
from tests.support.redis import RedisServer

SECONDS = float(os.environ.get("FAIRWAY_SOAK_SECONDS", "300"))
MIB_MORE = 8.0
"""What a process may have more at the end than after its warm-up."""
EXPIRY = 3.0
UPKEEP = 75.0
"""Seconds after which records of control and their lists have expired."""
EXPLAINED = {"gone"}
"""A message to a group that meets a member which has just left."""


class Watched:
    """A process, where its metrics are, and its memory over the time."""

    def __init__(self, process: Process, port: int, path: str) -> None:
        self.process = process
        self.samples: list[float] = []
        self._port = port
        self._path = path

    def drops(self) -> Counter[str]:
        """Return how many messages it dropped, by channel and reason."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        headers = {"Authorization": "Bearer only for tests"}
        connection.request("GET", self._path, headers=headers)
        text = connection.getresponse().read().decode()
        connection.close()
        found = re.findall(r"^fairway_drops_total\{(.*)\} (\S+)$", text, re.M)
        assert "fairway_layer_up 1.0" in text
        return Counter({labels: int(float(count)) for labels, count in found})

    def growth(self) -> float:
        """Return the MiB from the end of its warm-up to now."""
        warm = self.samples[len(self.samples) // 3 :]
        part = max(1, len(warm) // 5)
        return statistics.median(warm[-part:]) - statistics.median(warm[:part])


def start_worker(house: House) -> Watched:
    port = free_port()
    process = house.worker("--metrics-port", str(port))
    return Watched(process, port, "/metrics")


def start_interface(house: House) -> tuple[Watched, int]:
    process, port = house.interface()
    return Watched(process, port, "/-/metrics"), port


def run_for(seconds: float, watched: list[Watched], traffic: Traffic) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for each in watched:
            each.samples.append(resident(each.process))
        traffic.fail_early()
        time.sleep(0.5)


@pytest.mark.full
@pytest.mark.timeout(SECONDS + 300)
def test_mixed_traffic_leaves_nothing_behind(
    fresh_redis: RedisServer, tmp_path: Path, record: Record
) -> None:
    drops: Counter[str] = Counter()
    with ExitStack() as stack:
        house = House(stack, fresh_redis.url, tmp_path)
        house.settings = {"EXPIRIES": {"*": EXPIRY}}
        first, old, stays = (
            start_interface(house),
            start_worker(house),
            start_worker(house),
        )
        second = start_interface(house)
        watched = [first[0], second[0], stays, old]

        with Traffic([first[1], second[1]]) as traffic:
            run_for(SECONDS / 2, watched, traffic)
            assert fresh_redis.execute("DBSIZE") > 0
            watched.append(start_worker(house))
            drops += old.drops()
            assert old.process.stop() == 0
            watched.remove(old)
            run_for(SECONDS / 2, watched, traffic)

        for each in watched:
            drops += each.drops()
        record("done", dict(traffic.done))
        record("MiB more", [round(each.growth(), 1) for each in [*watched, old]])
        for each in watched:
            every = max(1, len(each.samples) // 10)
            record("MiB over the time", [round(m, 1) for m in each.samples[::every]])
        record("drops", dict(drops))
        assert [each.process.stop() for each in watched] == [0] * 4

    stopped = time.monotonic()
    wait_until(lambda: fresh_redis.execute("DBSIZE") == 0, UPKEEP, "an empty Redis")
    record("seconds to an empty Redis", round(time.monotonic() - stopped, 1))
    assert max(each.growth() for each in [*watched, old]) <= MIB_MORE
    assert {
        labels.partition('reason="')[2].rstrip('"') for labels in drops
    } <= EXPLAINED
    assert min(traffic.done.values()) > 0
    assert len(traffic.done) == 6
