"""The reference as its readers see it: pages with their generated parts in place."""

from __future__ import annotations

import importlib
import re
import sys
from functools import cache
from typing import Any

from tests.architecture.tree import REFERENCE, ROOT, pages

EXTENSION = str(ROOT / "docs" / "_ext")


@cache
def extension(name: str) -> Any:
    """Return a module of the manual's Sphinx extension."""
    if EXTENSION not in sys.path:
        sys.path.insert(0, EXTENSION)
    return importlib.import_module(name)


@cache
def page(name: str) -> str:
    """Return a page of the reference with its tables."""
    text = (REFERENCE / f"{name}.md").read_text(encoding="utf-8")
    expanded: str = extension("declared").expand(text)
    return expanded


@cache
def reference() -> str:
    """Return the whole reference."""
    return "\n".join(page(path.stem) for path in pages(REFERENCE))


def section(text: str, heading: str) -> str:
    """Return what stands below a heading of the second level, up to the next one."""
    found = re.search(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    return found[1] if found else ""


def undocumented(names: set[str], text: str) -> set[str]:
    """Return the names that the text never writes as code."""
    code = set(re.findall(r"`([^`\n]+)`", text))
    first_words = {word for span in code for word in re.split(r"[\s:(=]", span)[:1]}
    return names - code - first_words


def directives(text: str) -> set[str]:
    """Return the dotted names that autodoc describes on a page."""
    return set(
        re.findall(r"^\.\. (?:auto(?!module)\w+|data):: (\S+)$", text, re.MULTILINE)
    )
