"""What each kind of process loads, seen in fresh interpreters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.interpreter import WITHOUT, packages, run
from tests.architecture.tree import PACKAGE, imported, module_of, name_of, sources

WIRE = {"twisted", "autobahn", "aiortc", "twilio", "uvloop"}
"""What terminates connections."""
ACTING = {"asyncio", "os", "random", "secrets", "select", "socket", "ssl"}
ACTING |= {"subprocess", "tempfile", "threading", "time"}
"""What a module that only decides has no use for."""
SIDES = {
    "http/addresses": "worker",
    "http/application": "worker",
    "http/body": "worker",
    "http/credit": "worker",
    "http/exchange": "host",
    "http/meta": "worker",
    "http/request": "worker",
    "http/response": "worker",
    "http/routes": "worker",
    "http/signals": "worker",
    "http/spool": "host",
    "http/static": "worker",
    "http/stream": "worker",
    "sms/checks": "worker",
    "sms/outbox": "host",
    "sms/records": "host",
    "sms/store": "host",
    "sms/smpp": "host",
    "sms/smpp_link": "host",
    "sms/smpp_pdu": "host",
    "sms/twilio": "host",
    "sms/twilio_rest": "host",
    "sms/twilio_signature": "host",
    "websocket/engine_autobahn": "host",
}
"""Modules of plugins that act; every other one must be pure."""


def pure_modules() -> list[Path]:
    return [
        path
        for path in sources(PACKAGE / "plugins")
        if not path.stem.startswith("transport_")
        and path.relative_to(PACKAGE / "plugins").with_suffix("").as_posix()
        not in SIDES
    ]


SITE = """
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["fairway", "django.contrib.auth", "django.contrib.contenttypes",
                    "django.contrib.sessions"],
    ROOT_URLCONF="tests.architecture.sample_routes",
    FAIRWAY={FAIRWAY},
)
django.setup()
"""


def site(routing: str = "tests.architecture.sample_routes.routes") -> str:
    """Return code that sets up a project with both protocols."""
    plugins = {"http": {"bind": ["tcp:0:interface=127.0.0.1"]}, "websocket": {}}
    return SITE.format(FAIRWAY={"ROUTING": routing, "PLUGINS": plugins})


@pytest.mark.parametrize("module", ["fairway", "fairway.kit"])
def test_the_public_faces_load_neither_django_nor_a_wire(module: str) -> None:
    loaded = packages(f"import {module}")

    assert not loaded & (WIRE | {"django", "redis"})


def test_importing_fairway_loads_nothing_else_of_it() -> None:
    loaded = run(
        "import fairway, sys; print([m for m in sys.modules if 'fairway' in m])"
    )

    assert loaded.strip() == "['fairway']"


@pytest.mark.standard
def test_an_app_without_the_setting_loads_nothing_else_of_fairway() -> None:
    code = """
import sys, django
from django.conf import settings
settings.configure(INSTALLED_APPS=["fairway"])
django.setup()
print(*sorted(name for name in sys.modules if name.startswith("fairway")))
"""

    assert run(code).split() == ["fairway", "fairway.apps"]


def test_specs_and_mappings_can_be_imported_with_nothing_installed() -> None:
    absent = WIRE | {"django", "redis", "hiredis"}
    modules = [module_of(path) for path in pure_modules()]
    code = (
        WITHOUT.format(names=absent)
        + f"""
import importlib
for name in {modules!r}:
    importlib.import_module(name)
"""
    )

    run(code)


@pytest.mark.parametrize("path", pure_modules(), ids=name_of)
def test_what_decides_imports_nothing_that_acts(path: Path) -> None:
    found = {name.split(".")[0] for name in imported(path)}

    assert not found & (ACTING | WIRE | {"django"})


def test_the_list_of_acting_modules_is_up_to_date() -> None:
    assert [
        name for name in SIDES if not (PACKAGE / "plugins" / f"{name}.py").exists()
    ] == []


@pytest.mark.standard
def test_a_worker_process_loads_no_wire() -> None:
    code = (
        site()
        + """
import fairway.management.commands.runworker
from fairway.core.assembly import assemble
from fairway.core.worker import Worker
assembly = assemble()
assembly.install()
Worker(assembly.layer, assembly.router, assembly.plugins)
import tests.architecture.sample_routes
"""
    )

    loaded = packages(code)

    assert not loaded & WIRE


@pytest.mark.standard
def test_every_worker_side_module_loads_no_wire() -> None:
    names = [f"fairway.plugins.{name.replace('/', '.')}" for name in SIDES]
    imports = "\n".join(
        f"import {name}"
        for name in names
        if SIDES[name[16:].replace(".", "/")] == "worker"
    )

    assert not packages(f"{site()}\n{imports}") & WIRE


@pytest.mark.standard
def test_an_interface_server_never_imports_the_routes() -> None:
    code = (
        site("routes_that_do_not_exist.channel_routing")
        + """
import os, signal
import fairway.management.commands.runinterface
from fairway.core.assembly import assemble
from fairway.interfaces.server import InterfaceServer, run
assembly = assemble()
assembly.install()
parts = assembly.layer, assembly.plugins, assembly.settings, assembly.site
run(
    lambda: InterfaceServer(*parts),
    started=lambda: os.kill(os.getpid(), signal.SIGTERM),
)
print("served")
"""
    )

    assert run(code).split() == ["served"]
