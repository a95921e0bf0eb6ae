"""The example plugins, as they are found once they are installed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples_plugins.packages import install


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which both distributions are installed."""
    target = tmp_path_factory.mktemp("site-packages")
    install(target)
    return target


@pytest.fixture
def enabled(installed: Path) -> Iterator[Path]:
    """Let this process find them, for one test: others count entry points."""
    sys.path.insert(0, str(installed))
    importlib.invalidate_caches()
    yield installed
    sys.path.remove(str(installed))
