"""The house of big bodies, with a bus and without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.conftest import record
from tests.full_size.house import House
from tests.support.redis import RedisServer

__all__ = ["house", "record"]


@pytest.fixture(params=["redis", "one process"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Return a house; a test changes its settings, then opens it."""
    with ExitStack() as stack:
        layer = "memory://"
        others: tuple[int, ...] = ()
        if request.param == "redis":
            server: RedisServer = request.getfixturevalue("fresh_redis")
            layer, others = server.url, (server.execute("INFO")["process_id"],)
        made = House(stack, layer, tmp_path)
        made.others = others
        yield made
