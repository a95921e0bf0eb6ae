"""The demo, as a visitor meets it: two browser windows, and terminals beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from websockets.sync.client import ClientConnection, connect

from tests.support.browser import BrowserThread
from tests.support.processes import ROOT, Process, free_port, run_manage, wait_until

pytestmark = [pytest.mark.standard, pytest.mark.timeout(150)]

PATIENCE = 30.0
SCREENSHOTS = ROOT / "tests" / "screenshots"
WIDE, PHONE = (1280, 900), (390, 844)


class Harbour:
    """The demo on a port and a database of its own; may be stopped and started."""

    def __init__(self, port: int, database: Path) -> None:
        self.port = port
        self._environment = {
            # Tests of this process may have chosen settings of their own.
            "DJANGO_SETTINGS_MODULE": "harbour.settings",
            "HARBOUR_DATABASE": str(database),
        }
        self._running = ExitStack()
        with self._manage("migrate", "--verbosity", "0") as migration:
            assert migration.child.wait(60) == 0, migration.output()
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False
        )

    def start(self) -> None:
        """Serve, as `make demo` does."""
        arguments = ("runserver", "--noreload", f"127.0.0.1:{self.port}")
        process = self._running.enter_context(self._manage(*arguments))
        process.wait_for_port(self.port)

    def stop(self) -> None:
        """Serve no more."""
        self._running.close()

    def say(self, name: str, text: str, **headers: str) -> httpx.Response:
        """Speak as curl does."""
        form = {"name": name, "text": text}
        return self.http.post("/say/", data=form, headers={"Accept": "*/*", **headers})

    def terminal(self) -> ClientConnection:
        """Come in by a WebSocket of one's own."""
        url = f"ws://127.0.0.1:{self.port}/room/"
        return connect(url, open_timeout=PATIENCE, proxy=None)

    def _manage(self, *arguments: str) -> AbstractContextManager[Process]:
        return run_manage("examples/harbour", *arguments, environment=self._environment)


class Window:
    """A visitor's browser window; its methods may be called from the test's thread."""

    def __init__(
        self,
        thread: BrowserThread,
        harbour: Harbour,
        *,
        size: tuple[int, int] = WIDE,
        scheme: Literal["light", "dark"] = "light",
        script: bool = True,
    ) -> None:
        self._thread = thread
        self.problems: list[str] = []

        def open_page(chromium: Browser) -> Page:
            page = chromium.new_context(
                color_scheme=scheme,
                java_script_enabled=script,
                viewport={"width": size[0], "height": size[1]},
            ).new_page()
            page.on("pageerror", lambda error: self.problems.append(str(error)))
            page.goto(f"http://127.0.0.1:{harbour.port}/")
            return page

        self._page = thread(open_page)

    def enter(self, name: str) -> None:
        """Wait until it is connected, and say who is there."""
        self.shows("#status", "Connected")

        def fill(page: Page) -> None:
            page.get_by_label("Your name").fill(name)
            page.get_by_label("Your name").blur()

        self.do(fill)

    def say(self, text: str) -> None:
        """Type a message and press Enter."""

        def type_it(page: Page) -> None:
            page.get_by_label("Message", exact=True).fill(text)
            page.get_by_label("Message", exact=True).press("Enter")

        self.do(type_it)

    def shows(self, selector: str, text: str) -> None:
        """Wait until something holds a text."""
        timeout = PATIENCE * 1000
        self.do(
            lambda page: expect(page.locator(selector)).to_contain_text(
                text, timeout=timeout
            )
        )

    def posts(self) -> list[tuple[str, str, str]]:
        """Return (name, door, text) of all posts on the page."""
        script = """items => items.map(item =>
            [".name", ".door span", ".text"].map(one => item.querySelector(one))
            .map(element => element.textContent.trim()))"""
        found = self.do(lambda page: page.locator(".post").evaluate_all(script))
        return [(name, door, text) for name, door, text in found]

    def do(self, job: Any) -> Any:
        """Return what `job(page)` returns."""
        return self._thread(lambda _: job(self._page))

    def keep_picture(self, name: str) -> None:
        """Save a screenshot for whoever wants to look."""
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.do(lambda page: page.screenshot(path=path, full_page=True))

    def close(self) -> None:
        """Close it; fails when the page had an error."""
        self.do(lambda page: page.context.close())
        assert self.problems == []


@pytest.fixture
def harbour(tmp_path: Path) -> Iterator[Harbour]:
    harbour = Harbour(free_port(), tmp_path / "harbour.sqlite3")
    with harbour.http:
        harbour.start()
        yield harbour
        harbour.stop()


def test_two_windows_chat(browser: BrowserThread, harbour: Harbour) -> None:
    with (
        closing(Window(browser, harbour)) as ada,
        closing(Window(browser, harbour, size=PHONE, scheme="dark")) as grace,
    ):
        ada.enter("Ada")
        grace.enter("Grace")
        ada.say("Ahoy! Anybody out there?")
        grace.shows("#posts", "Ahoy! Anybody out there?")
        grace.say("Reading you loud and clear.")
        ada.shows("#posts", "Reading you loud and clear.")
        harbour.say("Edsger", "From a terminal, too.")

        for window in (ada, grace):
            window.shows("#posts", "From a terminal, too.")
            window.shows("#here", "2 here")
        ada.shows("#trip", "There and back in")
        ada.keep_picture("harbour-wide-light")
        grace.keep_picture("harbour-phone-dark")
        assert ada.posts() == grace.posts()
        assert ada.posts() == [
            ("Ada", "websocket", "Ahoy! Anybody out there?"),
            ("Grace", "websocket", "Reading you loud and clear."),
            ("Edsger", "http", "From a terminal, too."),
        ]


def test_a_newcomer_sees_what_was_said_before(
    browser: BrowserThread, harbour: Harbour
) -> None:
    for n in range(60):
        harbour.say("Ada", f"post {n}")

    with closing(Window(browser, harbour)) as window:
        window.shows("#status", "Connected")
        texts = [text for _, _, text in window.posts()]

    assert texts == [f"post {n}" for n in range(10, 60)]


def test_markup_is_shown_as_it_was_typed(
    browser: BrowserThread, harbour: Harbour
) -> None:
    markup = "<img src=x onerror=alert(1)> & </script>"
    harbour.say("<b>Ada</b>", markup)

    with closing(Window(browser, harbour)) as window:
        window.enter("Eve")
        window.say(markup)
        window.shows(".mine", "onerror")

        assert window.posts() == [
            ("<b>Ada</b>", "http", markup),
            ("Eve", "websocket", markup),
        ]


def test_the_page_comes_back_by_itself_and_sends_what_waited(
    browser: BrowserThread, harbour: Harbour
) -> None:
    with closing(Window(browser, harbour)) as window:
        window.enter("Ada")
        harbour.stop()
        window.shows("#status", "Reconnecting")
        window.say("sent while nobody was there")
        window.shows("#notice", "1 waiting")
        window.keep_picture("harbour-reconnecting")
        harbour.start()

        window.shows("#posts", "sent while nobody was there")

        assert window.posts() == [("Ada", "websocket", "sent while nobody was there")]


def test_without_javascript_the_form_speaks(
    browser: BrowserThread, harbour: Harbour
) -> None:
    def fill_form(page: Page) -> None:
        page.get_by_label("Your name").fill("Ada")
        page.get_by_label("Message", exact=True).fill("by hand")
        page.get_by_role("button", name="Send").click()

    with closing(Window(browser, harbour, script=False)) as window:
        window.do(fill_form)
        window.shows("#posts", "by hand")

        assert window.do(lambda page: page.get_by_label("Your name").input_value()) == (
            "Ada"
        )


def test_the_theme_is_remembered(browser: BrowserThread, harbour: Harbour) -> None:
    def background(page: Page) -> Any:
        script = "getComputedStyle(document.documentElement).backgroundColor"
        return page.evaluate(script)

    def switch(page: Page) -> None:
        page.get_by_role("button", name="Switch between light and dark").click()

    with closing(Window(browser, harbour)) as window:
        light = window.do(background)
        window.do(switch)
        dark = window.do(background)
        window.do(lambda page: page.reload())

        assert light != dark
        assert window.do(background) == dark


@pytest.mark.parametrize("size", [PHONE, (768, 1024), (1920, 1080)])
def test_no_width_needs_sideways_scrolling(
    browser: BrowserThread, harbour: Harbour, size: tuple[int, int]
) -> None:
    harbour.say("Ada", "w" * 300)
    script = "document.documentElement.scrollWidth - innerWidth"

    with closing(Window(browser, harbour, size=size)) as window:
        assert window.do(lambda page: page.evaluate(script)) <= 0


def test_the_page_loads_nothing_from_elsewhere(
    browser: BrowserThread, harbour: Harbour
) -> None:
    script = "performance.getEntriesByType('resource').map(({ name }) => name)"

    with closing(Window(browser, harbour)) as window:
        window.shows("#status", "Connected")
        loaded = window.do(lambda page: page.evaluate(script))

    assert loaded
    own = f"http://127.0.0.1:{harbour.port}/"
    assert [address for address in loaded if not address.startswith(own)] == []


def test_a_terminal_talks_with_a_page(browser: BrowserThread, harbour: Harbour) -> None:
    with closing(Window(browser, harbour)) as window, harbour.terminal() as terminal:
        window.enter("Ada")
        assert "You are guest-" in str(terminal.recv(PATIENCE))
        terminal.send("/name Edsger")
        terminal.send("from a terminal")
        window.shows("#posts", "from a terminal")
        assert terminal.recv(PATIENCE) == "Edsger: from a terminal"
        window.say("from the page")
        assert terminal.recv(PATIENCE) == "Ada: from the page"
        terminal.send("/who")
        assert terminal.recv(PATIENCE) == "2 here."


def test_the_feed_is_one_response_that_goes_on(harbour: Harbour) -> None:
    harbour.say("Ada", "before")

    with harbour.http.stream("GET", "/feed/") as feed:
        lines = feed.iter_lines()
        assert (feed.status_code, next(lines)) == (200, "Ada: before")
        harbour.say("Ada", "during")
        assert next(lines) == "Ada: during"


def test_a_post_is_one_line_that_steers_no_terminal(harbour: Harbour) -> None:
    response = harbour.say("Eve", "hi\r\nAda: I owe Eve \x1b[31mmoney")

    assert response.text.splitlines() == ["Eve: hi Ada: I owe Eve  [31mmoney"]


def test_who_leaves_the_feed_is_not_counted_any_more(harbour: Harbour) -> None:
    def counted(terminal: ClientConnection) -> str:
        terminal.send("/who")
        return str(terminal.recv(PATIENCE))

    with harbour.terminal() as terminal:
        terminal.recv(PATIENCE)
        with harbour.http.stream("GET", "/feed/"):
            wait_until(lambda: counted(terminal) == "2 here.", PATIENCE)

        wait_until(lambda: counted(terminal) == "1 here.", PATIENCE)


@pytest.mark.parametrize(("name", "text"), [("", "hello"), ("Ada", " ")])
def test_who_says_nothing_or_no_name_is_told_so(
    harbour: Harbour, name: str, text: str
) -> None:
    response = harbour.say(name, text)

    assert response.status_code == 400
    assert "name, text" in response.text


def test_a_foreign_page_may_not_post(harbour: Harbour) -> None:
    response = harbour.say("Eve", "from afar", Origin="https://example.com")

    assert response.status_code == 403
    assert "from afar" not in harbour.http.get("/").text
