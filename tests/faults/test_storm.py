"""A reconnect storm: thousands of sockets whose interface server is replaced."""

from __future__ import annotations

import asyncio
import signal
from bisect import bisect_left
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.faults.scene import Record, Scene
from tests.faults.storm import Crowd
from tests.support.balancer import Balancer
from tests.support.browser import BrowserThread, browser

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
    scene.worker()
    old, first = scene.interface()

    async def scenario(balancer: Balancer) -> Crowd:
        crowd = Crowd(first)
        await crowd.gather(SOCKETS)
        await asyncio.to_thread(
            browser, lambda chromium: _open_pages(chromium, balancer.port, pages)
        )
        _, crowd.port = await asyncio.to_thread(scene.interface)
        balancer.targets = [crowd.port]
        crowd.handshakes.clear()
        old.child.send_signal(signal.SIGTERM)
        await crowd.wait_for(SOCKETS, GRACE + 60)
        await crowd.leave()
        return crowd

    with Balancer([first]) as balancer:
        crowd = asyncio.run(scenario(balancer))
        gaps = sorted(browser(lambda _: [_gap(page) for page in pages]))
    assert old.child.wait(GRACE + SLACK) == 0

    closes = [moment for moment, _ in crowd.closes]
    record("closes over seconds", round(max(closes) - min(closes), 1))
    record("most closes in 100 ms", _busiest(closes, 0.1))
    record("handshakes over", round(max(crowd.handshakes) - min(crowd.handshakes), 1))
    record("most handshakes in 100 ms", _busiest(crowd.handshakes, 0.1))
    record("pages back after", [round(gap, 2) for gap in gaps])
    assert {code for _, code in crowd.closes} == {RESTARTING}
    assert len(crowd.closes) == len(crowd.handshakes) == SOCKETS
    # Over half of the grace these are 33 in 100 ms; a storm is all of them.
    assert _busiest(closes, 0.1) < SOCKETS / 10
    assert _busiest(crowd.handshakes, 0.1) < SOCKETS / 10
    assert gaps[PAGES // 2] < BACK_WITHIN
    assert gaps[-1] < BACK_WITHIN + SLACK
