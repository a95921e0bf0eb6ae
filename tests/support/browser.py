"""Debian's Chromium in a thread of its own.

While Playwright's synchronous API is open, its thread counts as asynchronous for
Django, which then refuses the ORM; a test's own thread must not be that thread.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, sync_playwright

__all__ = ["CHROMIUM", "BrowserThread", "browser"]

T = TypeVar("T")
CHROMIUM = "/usr/bin/chromium"
# A test's browser talks to this machine and to nobody else.
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


Job = Callable[[Browser], Any]


class BrowserThread(threading.Thread):
    """Runs what it is given with the browser, one call after another."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="browser")
        self._jobs: queue.SimpleQueue[tuple[Job, Future[Any]] | None]
        self._jobs = queue.SimpleQueue()
        self._running: Future[None] = Future()

    def __call__(self, job: Callable[[Browser], T], timeout: float = 50.0) -> T:
        """Return what `job(browser)` returns, or raise what it raises."""
        answer: Future[T] = Future()
        self._jobs.put((job, answer))
        return answer.result(timeout)

    def start(self) -> None:
        """Start it; raises what keeps the browser from starting."""
        super().start()
        self._running.result(50.0)

    def stop(self) -> None:
        """Close the browser."""
        self._jobs.put(None)
        self.join(30.0)

    def run(self) -> None:
        """Serve jobs until `stop`."""
        with sync_playwright() as playwright:
            try:
                browser = playwright.chromium.launch(
                    executable_path=CHROMIUM, args=FLAGS
                )
            except Exception as error:
                self._running.set_exception(error)
                return
            self._running.set_result(None)
            for job, answer in iter(self._jobs.get, None):
                try:
                    answer.set_result(job(browser))
                except BaseException as error:
                    answer.set_exception(error)
            browser.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[BrowserThread]:
    """Return a running browser; import the fixture into your conftest.py."""
    thread = BrowserThread()
    thread.start()
    yield thread
    thread.stop()
