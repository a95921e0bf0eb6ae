"""The tutorial, done as it says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.architecture.tree import ROOT
from tests.manual.project import FILES, Project
from tests.support.processes import free_port, wait_until

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with ExitStack() as stack:
        yield Project(tmp_path, stack)


def test_lesson_1_echoes_over_websocket_and_http(project: Project) -> None:
    project.add_settings((FILES / "echo_settings.py").read_text())
    project.write(FILES / "echo_routing.py", "routing.py")
    project.serve()

    async def talk() -> str | bytes:
        async with connect(f"ws://127.0.0.1:{project.port}/", proxy=None) as socket_:
            await socket_.send("hello")
            return await socket_.recv()

    assert asyncio.run(asyncio.wait_for(talk(), 30)) == "HELLO"
    assert project.get("/shout/", b"hello") == "HELLO"
    assert "The install worked successfully!" in project.get("/")


def test_lesson_3_lets_pages_and_terminals_talk_in_one_room(project: Project) -> None:
    port = free_port()
    settings = (FILES / "lines_settings.py").read_text()
    own_port = f'"mysite.lines": {{"bind": ["tcp:{port}:interface=127.0.0.1"]}}'
    project.add_settings(settings.replace('"mysite.lines": {}', own_port))
    project.write(FILES / "chat.py", "chat.py")
    project.write(FILES / "chat_routing.py", "routing.py")
    project.write(FILES / "chat_urls.py", "urls.py")
    project.write(FILES / "room.html", "templates/room.html")
    project.write(ROOT / "tests" / "core" / "plugin" / "lines.py", "lines.py")
    project.serve()
    terminal = socket.create_connection(("127.0.0.1", port), 20)
    heard = terminal.makefile("rw")

    async def come_in() -> str | bytes:
        url = f"ws://127.0.0.1:{project.port}/room/"
        async with connect(url, proxy=None) as page:
            assert await page.recv() == "Who are you?"
            await page.send("Bob")
            return await page.recv()

    with terminal:
        assert heard.readline() == "Who are you?\n"
        heard.write("Ada\n")
        heard.flush()
        assert heard.readline() == "Ada comes in\n"
        assert asyncio.run(asyncio.wait_for(come_in(), 30)) == "Bob comes in"
        assert heard.readline() == "Bob comes in\n"
        assert heard.readline() == "Bob leaves\n"
        assert "client.js" in project.get("/")
        wait_until(lambda: "Connection" in project.get("/static/fairway/client.js"))
