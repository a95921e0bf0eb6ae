"""Python code in an interpreter of its own, where nothing is imported yet."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from tests.architecture.tree import ROOT

LOADED = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
"""Prints the packages that are loaded."""

WITHOUT = """
import sys
class _Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ImportError(f"{{name}} is not installed here")
sys.meta_path.insert(0, _Missing())
"""
"""Makes imports fail as if packages were not installed; `format` it with names."""


def run(code: str, environment: Mapping[str, str] | None = None) -> str:
    """Run code and return what it printed."""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def packages(code: str, environment: Mapping[str, str] | None = None) -> set[str]:
    """Run code and return the packages that it loaded."""
    return set(run(f"{code}\n{LOADED}", environment).splitlines()[-1].split())
