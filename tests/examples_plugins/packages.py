"""The example distributions, built and installed as anybody would do it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.processes import ROOT

__all__ = ["DISTRIBUTIONS", "FOLDER", "install", "modules"]

FOLDER = ROOT / "examples/plugins"
DISTRIBUTIONS = sorted(path.parent for path in FOLDER.glob("*/pyproject.toml"))


def install(target: Path) -> None:
    """Install all of them, with their entry points, into an empty folder."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    command += ["--disable-pip-version-check", "--no-build-isolation"]
    subprocess.run(
        [*command, "--target", str(target), *map(str, DISTRIBUTIONS)],
        check=True,
        capture_output=True,
    )


def modules(distribution: Path) -> list[Path]:
    """Return the modules of a distribution."""
    return sorted(distribution.rglob("*.py"))
