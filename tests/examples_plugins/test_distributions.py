"""Each example plugin is small, typed, and sees of fairway nothing but the kit."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.architecture.tree import name_of, parsed
from tests.examples_plugins.packages import DISTRIBUTIONS, FOLDER, modules

CODE_LINES = 250

each = pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=name_of)


def code_lines(module: Path) -> int:
    """Count the lines that are neither blank, nor comments, nor docstrings."""
    documents = {
        line
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    lines = module.read_text(encoding="utf-8").splitlines()
    return sum(
        number not in documents and not line.lstrip().startswith(("#", "'''"))
        for number, line in enumerate(lines, 1)
        if line.strip()
    )


def imported(module: Path) -> Iterator[str]:
    """Yield each thing that a module imports, by its whole name."""
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_there_is_one_with_connections_and_one_of_things() -> None:
    assert {folder.name for folder in DISTRIBUTIONS} == {"irc", "mqtt"}


@each
def test_it_is_small(folder: Path) -> None:
    lines = {name_of(module): code_lines(module) for module in modules(folder)}

    assert sum(lines.values()) < CODE_LINES, lines


@each
def test_it_imports_the_kit_and_nothing_else_of_fairway(folder: Path) -> None:
    found = {
        name
        for module in modules(folder)
        for name in imported(module)
        if name.split(".")[0] == "fairway"
    }

    assert found == {"fairway.kit"}


@each
def test_it_is_typed_and_has_a_readme(folder: Path) -> None:
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]

    assert (folder / f"fairway_{folder.name}/py.typed").is_file()
    assert (folder / project["readme"]).is_file()
    assert f'"{folder.name}": {{' in (folder / project["readme"]).read_text()


@pytest.mark.standard
def test_installed_they_offer_their_plugins(installed: Path) -> None:
    offered = {
        entry.name: entry.value
        for distribution in distributions(path=[str(installed)])
        for entry in distribution.entry_points
        if entry.group == "fairway"
    }

    assert offered == {"irc": "fairway_irc", "mqtt": "fairway_mqtt"}
    assert all(
        (installed / module / "py.typed").is_file() for module in offered.values()
    )


def test_the_index_names_them_all() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert all(f"({folder.name}/README.md)" in index for folder in DISTRIBUTIONS)
