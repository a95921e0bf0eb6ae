"""A table of text, as subcommands print it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.core.management.base import BaseCommand

__all__ = ["Row", "print_table"]

Row = Sequence[object]


def print_table(console: BaseCommand, titles: Row, rows: Iterable[Row]) -> None:
    """Print rows below their titles, each column as wide as its widest cell."""
    lines = [[str(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for index, line in enumerate(lines):
        cells = zip(line, widths, strict=True)
        text = "  ".join(cell.ljust(width) for cell, width in cells).rstrip()
        console.stdout.write(f"  {console.style.SUCCESS(text) if not index else text}")
