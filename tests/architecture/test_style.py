"""The measures of the house style, read from the syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGE, ROOT, name_of, pages, parsed, sources

MODULE_LINES = 600
TEST_MODULE_LINES = 800
FUNCTION_LINES = 60
CLASS_METHODS = 20
POSITIONAL = 4

FORBIDDEN_WORDS = {
    "base",
    "common",
    "component",
    "data",
    "engine",
    "handler",
    "helper",
    "helpers",
    "info",
    "manager",
    "misc",
    "obj",
    "processor",
    "util",
    "utils",
}
NAMES_ALLOWED = {
    "fairway/core/bus/engine.py": "the pure queue engine of the design",
    "fairway/plugins/websocket/engine.py": "the frame engine of the design",
    "fairway/plugins/websocket/engine_autobahn.py": "the first frame engine",
    "fairway/plugins/websocket/engine_lean.py": "the second frame engine",
}
LONG_CLASSES_ALLOWED: dict[str, str] = {}
MANY_POSITIONAL_ALLOWED: dict[str, str] = {}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def definitions(path: Path) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Yield the functions and classes of a file with their place in it."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield f"{name_of(path)}:{node.name}", node


def length(node: ast.stmt) -> int:
    """Return how many lines a definition has."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize(
    ("folder", "limit"),
    [("fairway", MODULE_LINES), ("tests", TEST_MODULE_LINES), ("docs", MODULE_LINES)],
)
def test_no_module_is_longer_than_its_limit(folder: str, limit: int) -> None:
    found = {
        name_of(path): lines
        for path in sources(ROOT / folder)
        if (lines := path.read_text(encoding="utf-8").count("\n")) > limit
    }

    assert found == {}


@pytest.mark.parametrize("folder", ["fairway", "tests", "docs"])
def test_no_function_is_longer_than_a_screen(folder: str) -> None:
    found = {
        place: length(node)
        for path in sources(ROOT / folder)
        for place, node in definitions(path)
        if not isinstance(node, ast.ClassDef) and length(node) > FUNCTION_LINES
    }

    assert found == {}


def test_no_class_has_more_public_methods_than_one_can_keep_in_mind() -> None:
    found = {
        place
        for path in sources()
        if "testing" not in path.parts
        for place, node in definitions(path)
        if isinstance(node, ast.ClassDef) and _public_methods(node) > CLASS_METHODS
    }

    assert found == set(LONG_CLASSES_ALLOWED)


def _public_methods(node: ast.ClassDef) -> int:
    """Count methods; what reads as an attribute is none."""
    return sum(
        isinstance(each, Function)
        and not each.name.startswith("_")
        and not any("property" in ast.unparse(one) for one in each.decorator_list)
        for each in node.body
    )


def test_no_function_takes_more_than_four_positional_parameters() -> None:
    found = {
        place
        for path in sources()
        for place, node in definitions(path)
        if isinstance(node, Function) and _positional(node) > POSITIONAL
    }

    assert found == set(MANY_POSITIONAL_ALLOWED)


def _positional(node: Function) -> int:
    names = [each.arg for each in node.args.posonlyargs + node.args.args]
    return len([name for name in names if name not in ("self", "cls")])


def test_modules_are_named_by_what_they_hold() -> None:
    found = {
        name_of(path)
        for path in sources()
        if FORBIDDEN_WORDS.intersection(path.stem.split("_"))
    }

    assert found == set(NAMES_ALLOWED)


def test_modules_say_in_one_sentence_what_they_are() -> None:
    found = []
    for path in sources():
        first = (ast.get_docstring(parsed(path)) or "").split("\n\n")[0]
        if path.stat().st_size and (
            not first.endswith((".", ":")) or first.startswith("This module")
        ):
            found.append(name_of(path))

    assert found == []


def test_nothing_is_left_to_do() -> None:
    mark = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    found = [
        name_of(path)
        for path in sources(PACKAGE) + sources(ROOT / "docs")
        if mark.search(path.read_text(encoding="utf-8"))
    ]

    assert found == []


def test_tests_use_the_real_parts() -> None:
    fake = re.compile(
        r"\b(Async|Magic)?Mock\(|\bpatch[(.]|mocker\.|monkeypatch|fakeredis"
    )
    found = [
        name_of(path)
        for path in sources(ROOT / "tests")
        if path != Path(__file__) and fake.search(path.read_text(encoding="utf-8"))
    ]

    assert found == []


@pytest.mark.parametrize("page", pages(ROOT / "docs"), ids=name_of)
def test_pages_have_one_sentence_per_line(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"^(```|:::).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)

    found = [
        line
        for line in prose.splitlines()
        if not line.startswith("|") and re.search(r"[a-z`)][.!?] +[A-Z`]", line)
    ]

    assert found == []
