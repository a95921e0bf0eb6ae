"""Runs the stock site under a server of one's choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import Process, free_port, run_manage, run_python

__all__ = ["FAIRWAY", "prepare", "run_gunicorn", "run_server", "run_split"]

STOCK = "tests/end_to_end/stock"
FAIRWAY = {"STOCK_INSTALLED": "1", "STOCK_CONFIGURED": "1"}
"""Environment that makes it a site of fairway."""


def prepare(folder: Path) -> Path:
    """Make the site's database in a folder, with an administrator, and return it."""
    environment = {
        "STOCK_FOLDER": str(folder),
        "DJANGO_SUPERUSER_PASSWORD": "lovelace",
    }
    _finish("migrate", "--verbosity", "0", environment=environment)
    _finish(
        "createsuperuser",
        "--noinput",
        "--username=ada",
        "--email=ada@stock.example",
        environment=environment,
    )
    return folder


@contextmanager
def run_server(
    folder: Path, environment: Mapping[str, str], option: str = "--insecure"
) -> Iterator[tuple[int, Process]]:
    """Run `runserver` over a folder with a database; gives its port and process."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    arguments = ("runserver", address, "--noreload", "--skip-checks", option)
    environment = {**environment, "STOCK_FOLDER": str(folder)}
    with run_manage(STOCK, *arguments, environment=environment) as process:
        process.wait_for_port(port)
        yield port, process


@contextmanager
def run_split(folder: Path, layer: str) -> Iterator[tuple[int, list[Process]]]:
    """Run an interface server and a worker; gives the port and both processes."""
    port = free_port()
    environment = {**FAIRWAY, "STOCK_FOLDER": str(folder), "STOCK_LAYER": layer}
    command = ("runinterface", "--port", str(port))
    with (
        run_manage(STOCK, "runworker", environment=environment) as worker,
        run_manage(STOCK, *command, environment=environment) as interface,
    ):
        interface.wait_for_port(port)
        yield port, [interface, worker]


@contextmanager
def run_gunicorn(
    folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple[int, Process]]:
    """Run gunicorn over a folder with a database; gives its port and process."""
    port = free_port()
    options = ("--bind", f"127.0.0.1:{port}", "--no-control-socket")
    arguments = ("-m", "gunicorn", *options, "stock_wsgi:application")
    environment = {**environment, "STOCK_FOLDER": str(folder)}
    with run_python(STOCK, *arguments, environment=environment) as process:
        process.wait_for_port(port)
        yield port, process


def _finish(*arguments: str, environment: Mapping[str, str]) -> None:
    with run_manage(STOCK, *arguments, environment=environment) as process:
        assert process.child.wait(60) == 0, process.output()
