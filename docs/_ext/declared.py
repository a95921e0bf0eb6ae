"""Replaces ```` ```{declared} TABLE ```` blocks by tables made from the declarations.

The tables are made when a page is read, so a page cannot fall behind the code. The
tests of the reference read pages through `expand`, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tables import TABLES

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

__all__ = ["expand", "setup"]

_BLOCK = re.compile(r"^```\{declared\} ([\w-]+)(?: (\w+))?\n```$", re.MULTILINE)


def expand(text: str) -> str:
    """Return a page's text with its blocks replaced by what they name.

    Raises:
        KeyError: there is no table of that name.
    """
    return _BLOCK.sub(_replaced, text)


def _replaced(block: re.Match[str]) -> str:
    table = TABLES[block[1]]
    return table(block[2]) if block[2] else table()


def _expand_page(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = expand(source[0])


def _find_outdated(
    app: Sphinx,
    environment: BuildEnvironment,
    added: set[str],
    changed: set[str],
    removed: set[str],
) -> list[str]:
    """Read every page with a block again: the code may have changed."""
    return [
        page
        for page in environment.found_docs
        if _BLOCK.search(environment.doc2path(page).read_text(encoding="utf-8"))
    ]


def setup(app: Sphinx) -> dict[str, object]:
    """Register with Sphinx."""
    app.connect("source-read", _expand_page)
    app.connect("env-get-outdated", _find_outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
