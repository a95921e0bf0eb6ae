"""A reconnect storm: thousands of sockets whose interface server is replaced."""

from __future__ import annotations

import asyncio
import os
import signal
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.faults.scene import Record, Scene
from tests.faults.storm import Crowd
from tests.support.balancer import Balancer
from tests.support.browser import BrowserThread, browser
from tests.support.processes import Process

__all__ = ["browser"]

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]

SOCKETS = 5_000
PAGES = 5
GRACE = 30.0
RESTARTING = 1012
BACK_WITHIN = 2.0
"""Seconds from its own close until a page is connected again."""
SLACK = 6.0


@pytest.fixture
def pages(browser: BrowserThread) -> Iterator[list[Page]]:
    pages: list[Page] = []
    yield pages
    if pages:
        browser(lambda _: pages[0].context.close())


def _open_pages(chromium: Browser, port: int, pages: list[Page]) -> None:
    context = chromium.new_context()
    for _ in range(PAGES):
        pages.append(context.new_page())
        pages[-1].goto(f"http://127.0.0.1:{port}/page")
        pages[-1].wait_for_function("document.title === 'open'")


def _gap(page: Page) -> float:
    """Return for how many seconds a page was not connected, once it is again."""
    page.wait_for_function("gaps.length > 0")
    return float(page.evaluate("gaps[0]")) / 1000


def _cpu(process: Process) -> float:
    """Return the seconds of processor time that a process has had."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _busiest(moments: list[float], seconds: float) -> int:
    """Return how many moments the busiest stretch of so many seconds has."""
    ordered = sorted(moments)
    return max(
        bisect_left(ordered, moment + seconds) - index
        for index, moment in enumerate(ordered)
    )


@pytest.mark.usefixtures("many_descriptors")
def test_5000_sockets_of_a_replaced_interface_server_come_back_spread(
    scene: Scene, record: Record, browser: BrowserThread, pages: list[Page]
) -> None:
    scene.settings["GRACE"] = GRACE
    # Thousands of clients in one process answer pings late.
    scene.settings["websocket"] = {"ping_interval": 0}
    scene.worker()
    old, first = scene.interface()
    _, second = scene.interface()

    async def scenario(balancer: Balancer) -> Crowd:
        crowd = Crowd(first)
        await crowd.gather(SOCKETS)
        await asyncio.to_thread(
            browser, lambda chromium: _open_pages(chromium, balancer.port, pages)
        )
        crowd.port = second
        before = [_cpu(process) for process in scene.processes]
        balancer.targets = [crowd.port]
        assert crowd.closes == []
        crowd.handshakes.clear()
        old.child.send_signal(signal.SIGTERM)
        await crowd.wait_for(SOCKETS, GRACE + 60)
        used = zip(scene.processes, before, strict=True)
        spent = [round(_cpu(process) - then, 1) for process, then in used]
        record("CPU seconds of worker, old and new server", spent)
        await crowd.leave()
        return crowd

    with Balancer([first]) as balancer:
        crowd = asyncio.run(scenario(balancer))
        gaps = sorted(browser(lambda _: [_gap(page) for page in pages]))
    assert old.child.wait(GRACE + SLACK) == 0

    closes = [moment for moment, _ in crowd.closes]
    record("closes over seconds", round(max(closes) - min(closes), 1))
    record("most closes in 100 ms and 1 s", [_busiest(closes, s) for s in (0.1, 1.0)])
    record("handshakes over", round(max(crowd.handshakes) - min(crowd.handshakes), 1))
    record("most handshakes in 100 ms", _busiest(crowd.handshakes, 0.1))
    quantiles = sorted(crowd.gaps)[SOCKETS // 2], max(crowd.gaps)
    record("handshakes that failed", crowd.refusals)
    record("sockets back after, p50 and max", [round(gap, 2) for gap in quantiles])
    record("pages back after", [round(gap, 2) for gap in gaps])
    assert {code for _, code in crowd.closes} == {RESTARTING}
    assert len(crowd.closes) == len(crowd.handshakes) == SOCKETS
    # Over half of the grace these are 333 in a second; a storm is all of them.
    assert _busiest(closes, 1.0) < SOCKETS / 3
    assert _busiest(crowd.handshakes, 1.0) < SOCKETS / 3
    # How long handshakes take meanwhile is a matter of what else the machine does.
    assert gaps[-1] < BACK_WITHIN + max(crowd.gaps)
