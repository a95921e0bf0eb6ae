"""The tutorial, done as it says."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.architecture.tree import ROOT
from tests.support.processes import free_port, run_manage, wait_until

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

FILES = Path(__file__).parent / "tutorial"


class Project:
    """What the reader of the tutorial has on disk."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.port = free_port()
        self.lines_port = free_port()
        start = [sys.executable, "-m", "django", "startproject", "mysite", str(folder)]
        subprocess.run(start, check=True, timeout=50)
        settings = self.folder / "mysite" / "settings.py"
        text = settings.read_text()
        apps = "INSTALLED_APPS = [\n"
        assert apps in text
        text = text.replace(apps, f'{apps}    "fairway",\n    "mysite",\n')
        settings.write_text(text)

    def add_settings(self, name: str) -> None:
        """Append a lesson's settings, with a port of the test's own for lines."""
        bind = f"tcp:{self.lines_port}:interface=127.0.0.1"
        enabled = f'"mysite.lines": {{"bind": ["{bind}"]}}'
        text = (FILES / name).read_text().replace('"mysite.lines": {}', enabled)
        with (self.folder / "mysite" / "settings.py").open("a") as settings:
            settings.write(text)

    def write(self, source: Path, name: str) -> None:
        """Make a file below `mysite`."""
        target = self.folder / "mysite" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(source, target)

    def serve(self) -> None:
        """Start `runserver` for the time of the test."""
        # The tests' own settings are in the environment.
        own = {"DJANGO_SETTINGS_MODULE": "mysite.settings"}
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        environment = {**os.environ, **own}
        subprocess.run(
            migrate, cwd=self.folder, env=environment, check=True, timeout=50
        )
        command = ["runserver", "--noreload", f"127.0.0.1:{self.port}"]
        running = run_manage(self.folder, *command, environment=own)
        self.stack.enter_context(running).wait_for_port(self.port)

    def get(self, path: str, body: bytes | None = None) -> str:
        """Make a request and return the answer's body."""
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}{path}", body, timeout=20
        ) as answer:
            return str(answer.read().decode())


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with ExitStack() as stack:
        yield Project(tmp_path, stack)


def test_lesson_1_echoes_over_websocket_and_http(project: Project) -> None:
    project.add_settings("echo_settings.py")
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
    project.add_settings("lines_settings.py")
    project.write(FILES / "chat.py", "chat.py")
    project.write(FILES / "chat_routing.py", "routing.py")
    project.write(FILES / "chat_urls.py", "urls.py")
    project.write(FILES / "room.html", "templates/room.html")
    project.write(ROOT / "tests" / "core" / "plugin" / "lines.py", "lines.py")
    project.serve()
    terminal = socket.create_connection(("127.0.0.1", project.lines_port), 20)
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
