"""The fixture of all faults."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.scene import Record, Scene
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer

log = logging.getLogger("fairway.tests.faults")


@pytest.fixture
def scene(fresh_redis: RedisServer, tmp_path: Path) -> Iterator[Scene]:
    """Return a scene over a Redis of its own."""
    with ExitStack() as stack:
        yield Scene(stack, fresh_redis.url, tmp_path)


@pytest.fixture
def proxy(fresh_redis: RedisServer, scene: Scene) -> Iterator[Proxy]:
    """Return a proxy between the scene's processes and its Redis."""
    with Proxy(fresh_redis.port) as proxy:
        scene.layer = f"redis://127.0.0.1:{proxy.port}/0"
        yield proxy


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Return what notes a figure; `--log-cli-level=INFO` shows them."""

    def note(what: str, figure: object) -> None:
        log.info("%s: %s %s", request.node.name, what, figure)

    return note


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Raise the limit of open descriptors to the hard one."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
