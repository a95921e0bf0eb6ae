"""The demo, as a visitor meets it: two browser windows, and terminals beside them."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from websockets.sync.client import ClientConnection, connect

from tests.support.browser import BrowserThread
from tests.support.processes import ROOT, free_port, run_manage, wait_until

pytestmark = [pytest.mark.standard, pytest.mark.timeout(150)]

HARBOUR = "examples/harbour"
# Tests of this process may have chosen settings of their own.
ENVIRONMENT = {"DJANGO_SETTINGS_MODULE": "harbour.settings"}
PATIENCE = 30.0
SCREENSHOTS = ROOT / "tests" / "screenshots"
WIDE, PHONE = (1280, 900), (390, 844)


class Harbour:
    """The demo on a port and a database of its own; may be stopped and started."""

    def __init__(self, port: int, database: Path) -> None:
        self.port = port
        self.udp_port = free_port(socket.SOCK_DGRAM)
        self._environment = {
            **ENVIRONMENT,
            "HARBOUR_DATABASE": str(database),
            "FAIRWAY_UDP_PORT": str(self.udp_port),
        }
        self._running = ExitStack()
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False
        )

    def start(self) -> None:
        """Serve, as `make demo` does."""
        arguments = ("runserver", "--noreload", f"127.0.0.1:{self.port}")
        started = run_manage(HARBOUR, *arguments, environment=self._environment)
        process = self._running.enter_context(started)
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

    def nc(self) -> socket.socket:
        """Come in by datagrams."""
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", self.udp_port))
        return client


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
        path: str = "/",
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
            page.goto(f"http://127.0.0.1:{harbour.port}{path}")
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


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with empty tables."""
    database = tmp_path_factory.mktemp("migrated") / "harbour.sqlite3"
    environment = {**ENVIRONMENT, "HARBOUR_DATABASE": str(database)}
    arguments = ("migrate", "--verbosity", "0")
    with run_manage(HARBOUR, *arguments, environment=environment) as migration:
        assert migration.child.wait(60) == 0, migration.output()
    return database


@pytest.fixture
def harbour(migrated: Path, tmp_path: Path) -> Iterator[Harbour]:
    database = tmp_path / "harbour.sqlite3"
    shutil.copy(migrated, database)
    harbour = Harbour(free_port(), database)
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


def counted(terminal: ClientConnection) -> str:
    terminal.send("/who")
    return str(terminal.recv(PATIENCE))


def text_by_phone(page: Page, text: str) -> None:
    page.locator("#phone").scroll_into_view_if_needed()
    phone = page.frame_locator("#phone iframe")
    expect(phone.locator("#state")).to_have_text("Live", timeout=PATIENCE * 1000)
    phone.get_by_label("Text", exact=True).fill(text)
    phone.get_by_label("Text", exact=True).press("Enter")


def poll_by_window(page: Page, text: str) -> None:
    page.get_by_label("Message or command").fill(text)
    page.get_by_label("Message or command").press("Enter")


@pytest.mark.parametrize(
    ("size", "scheme"), [((1440, 900), "light"), ((820, 1100), "dark")]
)
def test_what_is_said_at_one_door_is_heard_at_all(
    browser: BrowserThread,
    harbour: Harbour,
    size: tuple[int, int],
    scheme: Literal["light", "dark"],
) -> None:
    markup = "<i>by phone</i>"
    said = []

    def heard_by_phone(text: str) -> None:
        def look(page: Page) -> None:
            bubble = page.frame_locator("#phone iframe").locator(
                "[data-status=delivered] .bubble", has_text=text
            )
            expect(bubble.first).to_be_visible(timeout=PATIENCE * 1000)

        window.do(look)

    with (
        closing(Window(browser, harbour, size=size, scheme=scheme)) as window,
        harbour.terminal() as terminal,
        harbour.nc() as nc,
    ):
        window.enter("Ada")
        assert "You are guest-" in str(terminal.recv(PATIENCE))
        nc.send(b"/name Edsger\n")
        assert b"You are guest-" in nc.recv(2_000)
        assert nc.recv(2_000) == b"You are Edsger."
        window.do(lambda page: poll_by_window(page, "/name Grace"))
        window.shows("#window .lines", "You are Grace.")
        window.do(lambda page: text_by_phone(page, markup))
        heard_by_phone("You are guest-")
        said.append(str(terminal.recv(PATIENCE)))
        assert nc.recv(2_000) == said[0].encode()
        assert said[0].endswith(f": {markup}")

        window.do(lambda page: poll_by_window(page, "by long-poll"))
        assert nc.recv(2_000) == b"Grace: by long-poll"
        nc.send(b"by datagram\n")
        window.shows("#posts", "by datagram")
        window.say("by page")
        window.shows("#posts", "by page")

        assert [name for name, _, _ in window.posts()][1:] == ["Grace", "Edsger", "Ada"]
        assert [door for _, door, _ in window.posts()] == [
            "sms",
            "longpoll",
            "udp",
            "websocket",
        ]
        for text in ("Grace: by long-poll", "Edsger: by datagram", "Ada: by page"):
            window.shows("#window .lines", text)
            heard_by_phone(text)
        window.shows("#window .lines", said[0])
        window.shows('[data-door="udp"]', f"nc -u 127.0.0.1 {harbour.udp_port}")
        window.shows('[data-door="udp"]', "Last used")
        window.do(lambda page: page.evaluate("scrollTo(0, 0)"))
        window.keep_picture(f"harbour-doors-{scheme}")


def test_a_phone_that_says_stop_has_left(
    browser: BrowserThread, harbour: Harbour
) -> None:
    def bubbles(page: Page) -> list[str]:
        return page.locator(".incoming .bubble").all_text_contents()

    def press(word: str) -> None:
        window.do(lambda page: page.get_by_role("button", name=word).click())

    with closing(Window(browser, harbour, size=PHONE, path="/sms/phone/")) as window:
        window.shows("#state", "Live")
        press("HELP")
        window.shows("#texts .incoming:nth-child(3)", "/who to see")
        press("STOP")
        with harbour.terminal() as terminal:
            terminal.recv(PATIENCE)
            wait_until(lambda: counted(terminal) == "1 here.", PATIENCE)
        harbour.say("Ada", "unheard")
        press("START")
        window.shows("#texts .incoming:nth-child(6)", "/who to see")
        harbour.say("Ada", "aloud")
        window.shows("#texts", "Ada: aloud")
        window.keep_picture("phone-alone")

        assert "unheard" not in " ".join(window.do(bubbles))


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

        # Whichever way it found first: a WebSocket, or requests.
        said = [(name, text) for name, _, text in window.posts()]
        assert said == [("Ada", "sent while nobody was there")]


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
        assert terminal.recv(PATIENCE) == "You are Edsger."
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
