"""`fairway startplugin`: names that it takes, and packages that work at once."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any, ClassVar

import pytest
from django.core.management import CommandError, call_command

from fairway.management.scaffold.names import LONGEST, complaint
from fairway.management.scaffold.package import KINDS
from tests.support.processes import ROOT, Process, free_port, run_python

NAMES = {"stream": "keyvalue", "datagram": "beacon", "webhook": "pager"}
TAKEN = {"http": "fairway.plugins.http"}


def start(folder: Path, name: str, *options: str) -> None:
    call_command("fairway", "startplugin", name, *options, f"--directory={folder}")


@pytest.mark.parametrize("name", ["lines", "keyvalue", "x25", "a" * LONGEST])
def test_a_word_is_a_name(name: str) -> None:
    assert complaint(name, TAKEN) is None


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("Key-Value", "keyvalue"),
        ("key_value", "keyvalue"),
        ("2fast", "fast"),
        ("9", "my9"),
        ("a" * (LONGEST + 1), "a" * LONGEST),
        ("ключ", "myprotocol"),
        ("", "myprotocol"),
        ("http", "myhttp"),
        ("core", "mycore"),
        ("../evil", "evil"),
    ],
)
def test_another_name_is_refused_with_the_nearest_one(name: str, instead: str) -> None:
    found = complaint(name, TAKEN)

    assert found is not None
    assert f"{instead!r} can be had." in found
    assert complaint(instead, TAKEN) is None


def test_the_name_of_an_installed_plugin_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"'websocket' is taken by fairway\.plug"):
        start(tmp_path / "new", "websocket")

    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path) -> None:
    mine = tmp_path / "pyproject.toml"
    mine.write_text("mine")

    with pytest.raises(CommandError, match="Nothing was written over"):
        start(tmp_path, "keyvalue")

    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["ab", "a" * LONGEST])
def test_every_file_is_filled_in(tmp_path: Path, kind: str, name: str) -> None:
    start(tmp_path / "new", name, "--kind", kind)

    files = [path for path in (tmp_path / "new").rglob("*") if path.is_file()]
    names = {path.relative_to(tmp_path / "new").as_posix() for path in files}
    package = f"src/fairway_{name}"
    assert names == {
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "tests/test_conformance.py",
        "tests/test_mapping.py",
        f"{package}/__init__.py",
        f"{package}/mapping.py",
        f"{package}/py.typed",
        f"{package}/spec.py",
        f"{package}/transport_twisted.py",
    }
    python = [path for path in files if path.suffix == ".py"]
    assert not [path for path in python if "$" in path.read_text()]
    for path in python:
        compile(path.read_text(), str(path), "exec")
    lint(tmp_path / "new", sys.executable)


# The packages, installed and running.


class Provider(BaseHTTPRequestHandler):
    """Takes what the webhook plugin sends."""

    taken: ClassVar[Queue[Any]] = Queue()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.put((json.loads(body), self.headers["X-Signature"] == sign(body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def sign(body: bytes) -> str:
    return hmac.new(b"only for tests", body, hashlib.sha256).hexdigest()


def run(folder: Path, *command: object) -> None:
    """Run a command, and show what it said when it fails."""
    environment = {**os.environ, "MYPYPATH": "src"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ran.returncode == 0, ran.stdout[-5_000:] + ran.stderr[-5_000:]


def lint(folder: Path, python: str | Path) -> None:
    """Run ruff in a package."""
    run(folder, python, "-m", "ruff", "check", "--no-cache", ".")
    run(folder, python, "-m", "ruff", "format", "--no-cache", "--check", ".")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one package of each kind."""
    folder = tmp_path_factory.mktemp("plugins")
    for kind, name in NAMES.items():
        start(folder / kind, name, "--kind", kind)
    return folder


@pytest.fixture(scope="module")
def python(folder: Path) -> Path:
    """Return the Python of a fresh environment with the packages installed.

    What they need comes from the environment of the tests: nothing is downloaded.
    """
    environment = folder / "environment"
    run(folder, sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    (packages,) = environment.glob("lib/python*/site-packages")
    paths = [str(ROOT), *(path for path in sys.path if path.endswith("-packages"))]
    (packages / "tests.pth").write_text("\n".join(paths))
    install = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet")
    kinds = [folder / kind for kind in NAMES]
    run(folder, sys.executable, "-m", "pip", "--python", python, "install", *install,
        *kinds)  # fmt: skip
    return python


@pytest.mark.standard
@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", KINDS)
def test_a_package_passes_its_tests_types_and_lint(
    folder: Path, python: Path, kind: str
) -> None:
    cache = folder / "mypy"
    run(folder / kind, python, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    run(folder / kind, python, "-m", "mypy", "--strict", "--cache-dir", cache)
    lint(folder / kind, python)


SETTINGS = """
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["fairway"]
ROOT_URLCONF = __name__
urlpatterns = []
FAIRWAY = {{
    "ROUTING": "site_of_plugins.channel_routing",
    "PLUGINS": {{
        "http": {{}},
        "keyvalue": {{"bind": ["tcp:{stream}:interface=127.0.0.1"]}},
        "beacon": {{"bind": ["udp:127.0.0.1:{datagram}"]}},
        "pager": {{"secret": "only for tests", "send_url": "{provider}"}},
    }},
}}


def shout(message):
    message.reply_channel.send({{"text": message.text.upper()}})


if __name__ == "site_of_plugins":
    from fairway import route

    channel_routing = [route("*.receive", shout)]
"""


@pytest.fixture
def provider() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Provider) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/send"
        server.shutdown()
        thread.join()


def datagram(port: int, data: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(20)
        client.sendto(data, ("127.0.0.1", port))
        return client.recv(1_000)


def webhook(port: int, body: bytes) -> int:
    headers = {"X-Signature": sign(body)}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/pager/", body, headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return int(answer.status)


@pytest.mark.standard
@pytest.mark.timeout(400)
def test_installed_packages_are_enabled_by_name_and_talk(
    folder: Path, python: Path, provider: str
) -> None:
    http, stream, udp = free_port(), free_port(), free_port()
    settings = SETTINGS.format(stream=stream, datagram=udp, provider=provider)
    (folder / "site_of_plugins.py").write_text(settings)
    environment = {"DJANGO_SETTINGS_MODULE": "site_of_plugins", "PYTHONPATH": "."}
    command = ("-m", "django", "runserver", "--noreload", f"127.0.0.1:{http}")

    with run_python(
        folder, *command, environment=environment, python=python
    ) as process:
        process.wait_for_port(stream)

        assert talk(stream) == [b"HELLO\n", "WÖRLD\n".encode()]
        assert datagram(udp, b"hello") == b"HELLO"
        assert webhook(http, b'{"id": "1", "from": "ada", "text": "hello"}') == 204
        assert Provider.taken.get(timeout=20) == ({"to": "ada", "text": "HELLO"}, True)
        assert stops_cleanly(process)


def talk(port: int) -> list[bytes]:
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        file = client.makefile("rwb")
        file.write("hello\nwörld\n".encode())
        file.flush()
        return [file.readline(), file.readline()]


def stops_cleanly(process: Process) -> bool:
    process.stop()
    return "Traceback" not in process.output()
