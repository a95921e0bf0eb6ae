"""The Django project that a reader of the manual has on disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from tests.support.processes import Process, free_port, run_manage

__all__ = ["FILES", "Project"]

FILES = Path(__file__).parent / "tutorial"
# The tests' own settings are in the environment.
ENVIRONMENT = {"DJANGO_SETTINGS_MODULE": "mysite.settings"}


class Project:
    """A new project with fairway in `INSTALLED_APPS`.

    Args:
        stack: ends the processes.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.stack = stack
        self.port = free_port()
        start = [sys.executable, "-m", "django", "startproject", "mysite", str(folder)]
        subprocess.run(start, check=True, timeout=50)
        settings = self.folder / "mysite" / "settings.py"
        before, apps, behind = settings.read_text().partition("INSTALLED_APPS = [\n")
        settings.write_text(f'{before}{apps}    "fairway",\n    "mysite",\n{behind}')

    def add_settings(self, text: str) -> None:
        """Append to the settings."""
        with (self.folder / "mysite" / "settings.py").open("a") as settings:
            settings.write(text)

    def write(self, source: Path, name: str) -> None:
        """Make a file below `mysite`."""
        target = self.folder / "mysite" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(source, target)

    def migrate(self) -> None:
        """Make the database."""
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        environment = {**os.environ, **ENVIRONMENT}
        subprocess.run(
            command, cwd=self.folder, env=environment, check=True, timeout=50
        )

    def start(self, *command: str) -> Process:
        """Start a command of `manage.py` for the time of the test."""
        running = run_manage(self.folder, *command, environment=ENVIRONMENT)
        return self.stack.enter_context(running)

    def serve(self) -> None:
        """Start `runserver` on `port`."""
        self.migrate()
        process = self.start("runserver", "--noreload", f"127.0.0.1:{self.port}")
        process.wait_for_port(self.port)

    def get(self, path: str, body: bytes | None = None) -> str:
        """Make a request to `runserver` and return the answer's body."""
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}{path}", body, timeout=20
        ) as answer:
            return str(answer.read().decode())
