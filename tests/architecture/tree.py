"""The repository as text: which files there are, and what stands in them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "fairway"
REFERENCE = ROOT / "docs" / "reference"


def sources(folder: Path = PACKAGE) -> list[Path]:
    """Return the Python files below a folder; generated ones are left out."""
    return sorted(
        path for path in folder.rglob("*.py") if "migrations" not in path.parts
    )


def name_of(path: Path) -> str:
    """Return a file's path inside the repository."""
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    """Return a file's module name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parsed(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), name_of(path))


def imported(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports anywhere, without `TYPE_CHECKING`."""
    typing_only = {
        inner
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(parsed(path)):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def pages(folder: Path) -> list[Path]:
    """Return the sources of the manual below a folder."""
    return sorted(path for path in folder.rglob("*.md") if "_build" not in path.parts)
