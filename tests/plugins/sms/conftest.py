"""Sessions in files: a store that needs no database and outlives a process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from fairway.plugins.sms import memory
from tests.support.loop import loop_thread

__all__ = ["loop_thread"]


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Path]:
    """Keep the site's sessions in files of the test's own; return their directory."""
    from django.contrib.sessions.backends.file import SessionStore

    engine = "django.contrib.sessions.backends.file"
    with override_settings(SESSION_ENGINE=engine, SESSION_FILE_PATH=str(tmp_path)):
        _forget_path(SessionStore)
        yield tmp_path
    _forget_path(SessionStore)


def _forget_path(store: type) -> None:
    # Django's store keeps the path for as long as the process lives.
    if "_storage_path" in vars(store):
        del store._storage_path  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _empty_outbox() -> Iterator[None]:
    yield
    memory.outbox.clear()
    memory.running.clear()
