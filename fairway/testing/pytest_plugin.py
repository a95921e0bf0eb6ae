"""Fixtures for tests of consumers, there as soon as fairway is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fairway.core.bus.layer import ChannelLayer
    from fairway.testing.client import ConsumerClient
    from fairway.testing.site import ConsumerSite

# Nothing is imported before a test asks for it: this plugin is loaded in every run.


@pytest.fixture
def fairway_site() -> Iterator[ConsumerSite]:
    """The consumers of the setting `FAIRWAY` over a memory layer, stepped by hand."""
    from fairway.testing.site import ConsumerSite

    with ConsumerSite() as site:
        yield site


@pytest.fixture
def fairway_layer(fairway_site: ConsumerSite) -> ChannelLayer:
    """The channel layer that Channel and Group use in this test."""
    return fairway_site.layer


@pytest.fixture
def fairway_client(fairway_site: ConsumerSite) -> Callable[..., ConsumerClient]:
    """Makes clients: `fairway_client()` or `fairway_client("lines")`."""
    from fairway.testing.client import ConsumerClient

    def make(protocol: str = "websocket", **arguments: str) -> ConsumerClient:
        return ConsumerClient(fairway_site, protocol, **arguments)

    return make
