"""Examples are whole, and their READMEs name what exists."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.architecture.manual import extension
from tests.architecture.tree import ROOT, name_of, sources

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/manage.py"))
DJANGO = {"check", "createsuperuser", "migrate", "shell", "collectstatic"}

each_example = pytest.mark.parametrize("folder", EXAMPLES, ids=name_of)


def readme(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def test_there_are_the_two_sites_of_the_design() -> None:
    assert {folder.name for folder in EXAMPLES} >= {"echo", "harbour"}


@each_example
def test_its_readme_names_commands_that_exist(folder: Path) -> None:
    commands = set(extension("tables").commands()) | DJANGO
    named = set(re.findall(r"manage\.py (\w+)", readme(folder)))

    assert named - commands == set()


@each_example
def test_its_readme_names_make_targets_that_exist(folder: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([\w-]+)", readme(folder)))

    assert named - set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE)) == set()


@each_example
def test_it_needs_nothing_but_fairway_and_django(folder: Path) -> None:
    allowed = re.compile(rf"(fairway|django|{folder.name})\b")
    imports = re.compile(r"^(?:from|import) ([\w.]+)", re.MULTILINE)

    found = {
        module
        for path in sources(folder)
        for module in imports.findall(path.read_text(encoding="utf-8"))
        if module.split(".")[0] not in sys.stdlib_module_names
        and not allowed.match(module)
    }

    assert found == set()


@each_example
def test_a_test_runs_it(folder: Path) -> None:
    found = [
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if f"examples/{folder.name}" in path.read_text(encoding="utf-8")
        and path != Path(__file__)
    ]

    assert found
