"""The whole examination, in order; what one part needs, the one before has found."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import ImproperlyConfigured

from fairway.core.assembly import Assembly, assemble
from fairway.core.bus.layer import ChannelLayer
from fairway.core.exceptions import FairwayError
from fairway.management.doctor.findings import Finding
from fairway.management.doctor.machine import look_at_machine
from fairway.management.doctor.site import (
    look_at_packages,
    look_at_plugins,
    look_at_settings,
    system_checks,
)
from fairway.management.doctor.traffic import look_at_queues, look_at_readers

__all__ = ["examine"]

_PATIENCE = 1.5
"""Seconds in which Redis must connect, and again in which it must answer."""
_AWAY = frozenset(f"fairway.D10{number}" for number in (1, 2, 3, 4))
"""After these there is nobody to ask."""
_REDIS = ("redis", "rediss", "redis+unix")


def examine() -> Iterator[Finding]:
    """Yield what is wrong; each part at once when it was looked at."""
    yield from system_checks()
    yield from look_at_settings()
    yield from look_at_packages()
    try:
        assembly = assemble()
        channels = assembly.router.channels()
    except ImproperlyConfigured:
        return  # the system checks have said so
    except FairwayError as error:
        yield Finding("fairway.E002", "error", str(error), "")
        return
    yield from look_at_plugins(assembly)
    yield from look_at_machine(assembly)
    if not assembly.settings.layer.startswith("memory:"):
        yield from _look_at_layer(assembly, channels)


def _look_at_layer(assembly: Assembly, channels: list[str]) -> Iterator[Finding]:
    try:
        layer = assembly.layer
    except FairwayError as error:
        yield Finding("fairway.E002", "error", str(error), "")
        return
    try:
        if assembly.settings.layer.partition(":")[0] in _REDIS:
            away = False
            for finding in _look_at_redis(layer, channels):
                away = away or finding.code in _AWAY
                yield finding
            if away:
                return
        yield from look_at_readers(assembly)
        yield from look_at_queues(layer, channels)
    finally:
        layer.close()


def _look_at_redis(layer: ChannelLayer, channels: list[str]) -> Iterator[Finding]:
    # Not above: a site without Redis need not have its packages.
    from fairway.core.bus.redis import RedisLayer
    from fairway.management.doctor.redis_server import look_at_server

    if isinstance(layer, RedisLayer):
        yield from look_at_server(layer, channels, _PATIENCE)
