"""Lets autodoc read docstrings as this project writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sphinx.ext.napoleon import Config, GoogleDocstring

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["setup", "to_rst"]

_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_STYLE = Config(napoleon_use_ivar=True)


def to_rst(text: str) -> str:
    """Return text with `code` and indented examples spelled as reStructuredText."""
    lines = _CODE.sub(r"``\1``", text).split("\n")
    return "\n".join(_with_examples(lines))


def _with_examples(lines: list[str]) -> Iterator[str]:
    previous, inside = "", False
    for position, line in enumerate(lines):
        deeper = _indent(line) >= _indent(previous) + 4
        if line and not inside and deeper and position and not lines[position - 1]:
            inside = True
            yield from ("::", "")
        elif line and not deeper:
            inside = False
        yield line
        if line and not inside:
            previous = line


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _read(
    app: Sphinx, what: str, name: str, owner: object, options: object, lines: list[str]
) -> None:
    # Of an attribute, napoleon would take what stands before a colon for its type, so
    # it is not told what it reads.
    lines[:] = GoogleDocstring(to_rst("\n".join(lines)), _STYLE).lines()


def setup(app: Sphinx) -> dict[str, object]:
    """Register with Sphinx."""
    app.connect("autodoc-process-docstring", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
