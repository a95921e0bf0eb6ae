"""The doctor sees what is wrong with settings, routes, packages and machine."""

from __future__ import annotations

import json
import re
import resource
import shutil
import socket
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

from fairway import route
from fairway.management.doctor.findings import KINDS, LEVELS
from tests.architecture.manual import page, undocumented
from tests.management.examined import HOSTS, KEY, codes, findings
from tests.support.processes import free_port


def listening(port: int) -> list[str]:
    return [f"tcp:{port}:interface=127.0.0.1"]


def http(**section: Any) -> dict[str, Any]:
    return {"PLUGINS": {"http": {"bind": listening(free_port())} | section}}


def test_a_sound_site_has_no_finding_but_its_layer() -> None:
    site = http(spool_total=1) | {"LIMITS": {"peers": 100}}

    assert codes(site) == {"fairway.D009"}


SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("fairway.D001", {"DEBUG": True}),
    ("fairway.D002", {"ALLOWED_HOSTS": []}),
    ("fairway.D003", {"ALLOWED_HOSTS": ["*"]}),
    ("fairway.D004", {"SECRET_KEY": "short"}),
    ("fairway.D004", {"SECRET_KEY": "a" * 60}),
    ("fairway.D004", {"SECRET_KEY": f"django-insecure-{KEY}"}),
    ("fairway.E001", {"INSTALLED_APPS": ["django.contrib.staticfiles", "fairway"]}),
]


@pytest.mark.parametrize(("code", "settings"), SETTINGS)
def test_what_is_wrong_with_settings_of_django(
    code: str, settings: dict[str, Any]
) -> None:
    assert code in codes(http(), **settings)
    assert code not in codes(http())


SECTIONS: list[tuple[str, dict[str, Any]]] = [
    ("fairway.D007", http(trusted_proxies=["0.0.0.0/0"])),
    ("fairway.D007", http(trusted_proxies=["::/0"])),
    ("fairway.D008", http(bind=["unix:/nowhere/socket"])),
    ("fairway.D302", http(spool_dir="/no/such/directory")),
    ("fairway.D303", http(spool_total=shutil.disk_usage("/").total * 1000)),
    ("fairway.E002", {"LIMITS": {"peer": 1}}),
    ("fairway.E002", {"ROUTING": "no.such.routes"}),
    ("fairway.E002", {"LAYER": "rediz://:hush-hush@127.0.0.1"}),
    ("fairway.W001", {"PLUGINS": {"no.such": {}}, "STRICT_PLUGINS": False}),
    (
        "fairway.D006",
        http() | {"ROUTING": [route("websocket.receive", "builtins.print")]},
    ),
]


@pytest.mark.parametrize(("code", "site"), SECTIONS)
def test_what_is_wrong_with_settings_of_fairway(
    code: str, site: dict[str, Any]
) -> None:
    found = findings(site)

    assert code in {finding.code for finding in found}
    assert "hush" not in str(found)
    assert code not in codes(http(spool_total=1))


def test_more_peers_than_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert "fairway.D301" in codes(http() | {"LIMITS": {"peers": hard}})


@pytest.mark.standard
def test_a_port_that_another_program_has() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        assert "fairway.D304" in codes(http(bind=listening(port)))


@pytest.fixture
def old_msgspec(tmp_path: Path) -> Iterator[None]:
    """An old version of a package, in front of the one that is installed."""
    folder = tmp_path / "msgspec-0.18.6.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: msgspec\nVersion: 0.18.6\n"
    )
    sys.path.insert(0, str(tmp_path))
    yield
    sys.path.remove(str(tmp_path))


def test_a_package_that_is_too_old(old_msgspec: None) -> None:
    texts = [one.text for one in findings(http()) if one.code == "fairway.D005"]

    assert texts == ["msgspec is 0.18.6; fairway wants >=0.19."]


def run(*options: str, **settings: Any) -> tuple[int, str]:
    """Return the exit code of the command, and what it printed."""
    out = StringIO()
    settings = {"SECRET_KEY": KEY, "ALLOWED_HOSTS": HOSTS} | settings
    with override_settings(FAIRWAY=http(), **settings):
        try:
            call_command("fairway", "doctor", *options, stdout=out, no_color=True)
        except SystemExit as end:
            return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_the_exit_code_tells_of_errors() -> None:
    code, text = run(ALLOWED_HOSTS=[])

    assert code == 1
    assert re.search(r"^error   fairway\.D002  ALLOWED_HOSTS is empty", text, re.M)
    assert re.search(r"^Found 1 error, ", text, re.M)
    assert run()[0] == 0


@pytest.mark.parametrize(
    ("level", "expected"), [("info", 1), ("warning", 1), ("error", 0)]
)
def test_the_level_that_fails_can_be_chosen(level: str, expected: int) -> None:
    assert run("--fail-level", level, DEBUG=True)[0] == expected


def test_findings_as_json() -> None:
    _, text = run("--json", DEBUG=True)

    found = {one["code"]: one for one in json.loads(text)}
    assert found["fairway.D001"] == {
        "code": "fairway.D001",
        "level": "warning",
        "text": "DEBUG is on.",
        "fix": "Set DEBUG = False in production.",
    }


def test_every_code_is_documented() -> None:
    assert undocumented(set(KINDS), page("doctor")) == set()


def test_every_code_is_produced_by_a_test() -> None:
    tests = Path(__file__).parent.glob("test_doctor*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in tests)

    assert {code for code in KINDS if f'"{code}"' not in text} == set()


def test_every_kind_says_what_to_do_about_it_in_one_line() -> None:
    for kind in KINDS.values():
        assert kind.level in LEVELS
        assert kind.fix.endswith(".")
        assert "\n" not in kind.fix + kind.title
