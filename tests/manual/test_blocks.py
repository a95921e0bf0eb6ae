"""Python that stands in the manual's pages themselves runs, page by page."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from fairway.core.settings import read_settings
from tests.architecture.tree import ROOT, name_of, pages
from tests.manual.plugins import guestbook

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INCLUDED = re.compile(r"^```\{literalinclude\} (\S+)$", re.MULTILINE)

# What the pages on plugins import is the package that their readers have made.
for part in ("", ".mapping", ".spec", ".transport_twisted"):
    sys.modules[f"fairway_guestbook{part}"] = guestbook

PAGES = {
    page: found
    for page in [ROOT / "README.md", *pages(ROOT / "docs")]
    if (found := BLOCK.findall(page.read_text(encoding="utf-8")))
}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_blocks_of_a_page_run_and_their_settings_are_valid(page: Path) -> None:
    names: dict[str, Any] = {"__name__": page.stem}

    for block in PAGES[page]:
        exec(compile(block, str(page), "exec"), names)
        if "FAIRWAY" in names:
            read_settings(names.pop("FAIRWAY"))


def test_what_pages_include_is_run_by_tests_or_is_an_example() -> None:
    included = [
        (page.parent / path).resolve()
        for page in pages(ROOT / "docs")
        for path in INCLUDED.findall(page.read_text(encoding="utf-8"))
    ]

    assert included
    assert all(path.is_relative_to(ROOT) for path in included)
    assert {path.relative_to(ROOT).parts[0] for path in included} <= {
        "tests",
        "examples",
    }


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *ROOT.glob("examples/*/README.md")], ids=name_of
)
def test_the_links_of_a_readme_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []
