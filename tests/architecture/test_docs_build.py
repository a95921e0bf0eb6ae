"""The manual can be built, and warnings are errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT


@pytest.mark.standard
@pytest.mark.timeout(300)
def test_the_manual_builds_without_a_warning(tmp_path: Path) -> None:
    options = [
        "-W",
        "--keep-going",
        "-n",
        "-q",
        "-b",
        "html",
        "-d",
        str(tmp_path / "trees"),
    ]
    command = [sys.executable, "-m", "sphinx", *options, "docs", str(tmp_path / "html")]

    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert (built.returncode, built.stderr) == (0, "")
