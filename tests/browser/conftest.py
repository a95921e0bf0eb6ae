"""A page with client.js in Chromium, and a WebSocket server of another make."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

import fairway
from tests.support.browser import BrowserThread, browser

__all__ = ["browser"]

HERE = Path(__file__).parent
CLIENT = Path(fairway.__file__).parent / "static" / "fairway" / "client.js"
FILES = {
    "/": ("text/html", b"<!doctype html><script type=module src=/harness.js></script>"),
    "/harness.js": ("text/javascript", (HERE / "harness.js").read_bytes()),
    "/client.js": ("text/javascript", CLIENT.read_bytes()),
    "/favicon.ico": ("image/png", b""),
}


class EchoServer:
    """Echoes; "close CODE REASON" closes. Serves the page too; may go and come back."""

    def __init__(self) -> None:
        self.port = 0
        self.closed_with: list[tuple[int | None, str | None]] = []
        self.start()

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._server: Server = serve(
            self._echo,
            "127.0.0.1",
            self.port,
            process_request=_page,
            select_subprotocol=_second_version,
        )
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self, code: int = 1001) -> None:
        """Close every connection and listen no more."""
        self._server.shutdown(code=code)
        self._thread.join(20.0)

    def _echo(self, connection: ServerConnection) -> None:
        try:
            for data in connection:
                if isinstance(data, str) and data.startswith("close "):
                    _, code, reason = data.split(" ", 2)
                    connection.close(int(code), reason)
                else:
                    connection.send(data)
        except ConnectionClosed:
            pass
        self.closed_with.append((connection.close_code, connection.close_reason))


def _second_version(
    connection: ServerConnection, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    return next((one for one in offered if one == "chat.v2"), None)


def _page(connection: ServerConnection, request: Request) -> Response | None:
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return None
    kind, body = FILES.get(request.path, ("text/plain", b""))
    headers = Headers()
    headers["Content-Type"] = kind
    headers["Content-Length"] = str(len(body))
    headers["Connection"] = "close"
    return Response(HTTPStatus.OK.value, "OK", headers, body)


class ClientPage:
    """One page that has the harness."""

    def __init__(self, thread: BrowserThread, url: str) -> None:
        self._thread = thread
        self.problems: list[str] = []
        self._page: Page = thread(lambda chromium: self._open(chromium, url))

    def run(self, script: str, argument: Any = None) -> Any:
        """Return what the body of an async function returns; `argument` is its own."""
        body = f"(argument) => inTime((async () => {{ {script} }})())"
        return self._thread(lambda _: self._page.evaluate(body, argument))

    def reload(self) -> None:
        """Load the page again, in the same tab."""
        self._thread(lambda _: self._page.reload())
        self._thread(lambda _: self._ready())

    def close(self) -> None:
        """Close the tab."""
        self._thread(lambda _: self._page.context.close())

    def _open(self, chromium: Browser, url: str) -> Page:
        self._page = chromium.new_context().new_page()
        self._page.on("pageerror", lambda error: self.problems.append(str(error)))
        self._page.goto(url)
        self._ready()
        return self._page

    def _ready(self) -> None:
        self._page.wait_for_function("document.title === 'ready'")


@pytest.fixture
def echo_server() -> Iterator[EchoServer]:
    """Return a running server."""
    server = EchoServer()
    yield server
    server.stop()


@pytest.fixture
def page(browser: BrowserThread, echo_server: EchoServer) -> Iterator[ClientPage]:
    """Return a page of that server; the test fails when the page had an error."""
    opened = ClientPage(browser, f"http://127.0.0.1:{echo_server.port}/")
    yield opened
    opened.close()
    assert opened.problems == []
