"""Writes the package of a new plugin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Final

import fairway
from fairway.management.scaffold.names import package_of

__all__ = ["KINDS", "write_package"]

KINDS: Final = ("stream", "datagram", "webhook")

_TEMPLATES = Path(__file__).parent / "templates"
_SUFFIX = "-tpl"
_EXAMPLES = {
    "stream": '"bind": ["tcp:7000"]',
    "datagram": '"bind": ["udp:7000"]',
    "webhook": '"secret": "...", "send_url": "https://..."',
}
"""What a settings file may say, for the README."""


def write_package(name: str, kind: str, folder: Path) -> list[Path]:
    """Write the package of a plugin into a new folder; return its files.

    Raises:
        FileExistsError: the folder is there already.
    """
    values = {
        "name": name,
        "package": package_of(name),
        "distribution": package_of(name).replace("_", "-"),
        "example": _EXAMPLES[kind],
        "version": fairway.__version__,
    }
    folder.mkdir(parents=True)
    return [
        _write(template, folder / place, values)
        for template, place in _places(kind, package_of(name))
    ]


def _places(kind: str, package: str) -> Iterator[tuple[Path, Path]]:
    """Yield each template and where its file belongs."""
    for root in (_TEMPLATES / "common", _TEMPLATES / kind):
        for template in sorted(root.rglob(f"*{_SUFFIX}")):
            place = template.relative_to(root)
            place = place.with_name(place.name.removesuffix(_SUFFIX))
            if place.parts[0] == "package":
                place = Path("src", package, *place.parts[1:])
            yield template, place


def _write(template: Path, target: Path, values: dict[str, str]) -> Path:
    text = Template(template.read_text(encoding="utf-8")).substitute(values)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target
