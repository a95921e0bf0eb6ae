"""Holds the channel layers that were chosen for this process, by alias."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fairway.core.bus.layer import ChannelLayer
from fairway.core.exceptions import ConfigurationError, nearest

__all__ = ["DEFAULT", "get_layer", "install_factory", "override_layer", "reset"]

DEFAULT = "default"

_lock = threading.RLock()
_layers: dict[str, ChannelLayer] = {}
_overrides: dict[str, ChannelLayer] = {}
_factory: Callable[[], dict[str, ChannelLayer]] | None = None


def install_factory(factory: Callable[[], dict[str, ChannelLayer]]) -> None:
    """Say who makes the layers: called at first use, so that nothing connects early."""
    global _factory
    _factory = factory


def get_layer(alias: str = DEFAULT) -> ChannelLayer:
    """Return the layer of an alias.

    Raises:
        ConfigurationError: there is none of that alias.
    """
    if (layer := _overrides.get(alias) or _layers.get(alias)) is not None:
        return layer
    with _lock:
        if not _layers and _factory is not None:
            _layers.update(_factory())
    try:
        return _layers[alias]
    except KeyError:
        raise ConfigurationError(
            'FAIRWAY["LAYER"]',
            f"has no channel layer {alias!r}",
            nearest=nearest(alias, _layers),
        ) from None


@contextmanager
def override_layer(layer: ChannelLayer, alias: str = DEFAULT) -> Iterator[ChannelLayer]:
    """Use another layer inside a `with` block; for tests and embedded processes."""
    before = _overrides.get(alias)
    _overrides[alias] = layer
    try:
        yield layer
    finally:
        if before is None:
            del _overrides[alias]
        else:
            _overrides[alias] = before


def reset() -> None:
    """Close and forget all layers; after a fork, and between tests."""
    with _lock:
        layers = list(_layers.values())
        _layers.clear()
    for layer in layers:
        layer.close()
