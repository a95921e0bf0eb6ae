"""Fixtures for all tests: the small Django site, and real Redis servers."""

import gc
import os
from collections.abc import Iterator

import django
import hypothesis
import pytest

from tests.support.redis import RedisServer

pytest.register_assert_rewrite("fairway.testing")

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.site.settings")
django.setup()

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile(
    "fairway",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    print_blob=True,
)
hypothesis.settings.register_profile(
    "quick", hypothesis.settings.get_profile("fairway"), max_examples=20
)
# `make test-fast` asks for the quick one.
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fairway"))


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over thousands of tests and their modules."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Return a Redis that all tests of the session share; do not stop it."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Return the URL of the shared Redis, which holds nothing."""
    redis_server.flush()
    return redis_server.url


@pytest.fixture
def fresh_redis() -> Iterator[RedisServer]:
    """Return a Redis of the test's own, which it may kill, pause and start again."""
    with RedisServer() as server:
        yield server
