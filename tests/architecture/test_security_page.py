"""Each fault on the page about security has a guard that a test shows, or a reason."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.tree import ROOT, imported, name_of, parsed, sources

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_REASONS = ("Cannot occur: ", "Not here yet: ", "Not ours: ")

# What runs what it reads, and parts of Twisted whose faults would be ours.
FORBIDDEN = {
    "pickle",
    "marshal",
    "shelve",
    "yaml",
    "dill",
    "cloudpickle",
    "twisted.conch",
    "twisted.names",
    "twisted.web",
    "twisted.spread",
}


def rows() -> list[list[str]]:
    """Return the cells of all rows of the page's tables but their heads."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    return [row for row in cells if row[0] not in ("---", "fault")]


def named() -> list[tuple[str, str]]:
    return sorted(set(_TEST.findall(PAGE)))


@pytest.mark.parametrize(("path", "name"), named())
def test_every_test_that_is_named_exists(path: str, name: str) -> None:
    functions = {
        node.name
        for node in ast.walk(parsed(ROOT / path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }

    assert name in functions


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:60])
def test_every_fault_has_a_guard_with_its_test_or_a_reason(row: list[str]) -> None:
    assert len(row) == 3
    _, guard, shown = row

    assert guard.startswith(_REASONS) or _TEST.search(shown), row


def test_the_page_is_in_the_manual() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")

    assert "](security.md)" in index
    assert "\nsecurity\n" in index


def test_nothing_that_runs_what_it_reads_is_imported() -> None:
    found = {
        (name_of(path), module)
        for path in sources()
        for module in imported(path)
        if any(module == one or module.startswith(f"{one}.") for one in FORBIDDEN)
    }

    assert found == set()
