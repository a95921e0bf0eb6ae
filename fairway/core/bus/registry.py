"""Holds the channel layers that were chosen for this process, by alias."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fairway.core.bus.layer import ChannelLayer
from fairway.core.exceptions import ConfigurationError, nearest

__all__ = ["DEFAULT", "get_layer", "install_factory", "override_layer", "reset"]

DEFAULT = "default"

_layers: dict[str, ChannelLayer] = {}
_factory: Callable[[], dict[str, ChannelLayer]] | None = None


def install_factory(factory: Callable[[], dict[str, ChannelLayer]]) -> None:
    """Say who makes the layers; it is called at first use, so nothing connects early."""
    global _factory
    _factory = factory


def get_layer(alias: str = DEFAULT) -> ChannelLayer:
    """Return the layer of an alias.

    Raises:
        ConfigurationError: there is none of that alias.
    """
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
def override_layer(
    layer: ChannelLayer, alias: str = DEFAULT
) -> Iterator[ChannelLayer]:
    """Use another layer inside a `with` block; for tests and embedded processes."""
    before = _layers.get(alias)
    _layers[alias] = layer
    try:
        yield layer
    finally:
        if before is None:
            _layers.pop(alias, None)
        else:
            _layers[alias] = before


def reset() -> None:
    """Close and forget all layers; after a fork, and between tests."""
    for layer in _layers.values():
        layer.close()
    _layers.clear()
