"""Sites of hand-written protocols, and a database with Django's own tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test.utils import setup_databases, teardown_databases

from fairway.core.consumer.routing import Router, Routing
from fairway.core.plugin.loading import Plugins
from fairway.core.settings import Settings
from fairway.testing.site import ConsumerSite

MakeSite = Callable[..., ConsumerSite]
MakeRouter = Callable[..., Router]


def sections(*protocols: str) -> dict[str, Any]:
    return {f"tests.core.protocols.{name}": {} for name in protocols or ("websocket",)}


@pytest.fixture
def make_site() -> Iterator[MakeSite]:
    """Make a site of routes and protocols."""
    with ExitStack() as stack:

        def make(
            routing: Routing, *protocols: str, raises: bool = True
        ) -> ConsumerSite:
            site = ConsumerSite(routing, plugins=sections(*protocols), raises=raises)
            return stack.enter_context(site)

        yield make


@pytest.fixture
def make_router() -> MakeRouter:
    """Make a router of routes and protocols."""

    def make(routing: Routing | None, *protocols: str) -> Router:
        return Router(routing, Plugins(Settings(plugins=sections(*protocols))))

    return make


@pytest.fixture(scope="session")
def _tables() -> Iterator[None]:
    before = setup_databases(verbosity=0, interactive=False)
    yield
    teardown_databases(before, verbosity=0)


@pytest.fixture
def database(_tables: None) -> Iterator[None]:
    """Give the test an empty database."""
    yield
    Session.objects.all().delete()
    User.objects.all().delete()


@pytest.fixture
def alice(database: None) -> User:
    """Return a user."""
    return User.objects.create_user("alice", password="secret")
