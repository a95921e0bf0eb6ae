"""Turns Django's settings into the parts of a process; the only module that knows all.

Each part is made when it is first asked for: an interface server never builds the
router, so it never imports consumer code.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from fnmatch import translate
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from fairway.core.bus import registry
from fairway.core.bus.channels import set_after_commit
from fairway.core.bus.layer import ChannelLayer, LayerPolicy
from fairway.core.bus.record import READABLE, VERSION
from fairway.core.consumer.routing import Router
from fairway.core.exceptions import ConfigurationError, FairwayError, nearest
from fairway.core.names import stem_of
from fairway.core.plugin.hookspecs import hookimpl
from fairway.core.plugin.host import Site
from fairway.core.plugin.loading import Plugins, import_path
from fairway.core.settings import Secret, Settings, read_settings

__all__ = [
    "Assembly",
    "assemble",
    "connect_transactions",
    "is_configured",
    "make_layer",
    "make_policy",
]

USER_CAPACITY = 100
"""Messages on a channel that no event declares."""
EXPIRY = 60.0
ORDERED_EXPIRY = 30.0
"""Seconds for events of ordered peers: as long as a killed worker may delay a peer."""
_MOST_STEMS = 4_096
"""Names whose patterns are remembered."""
DEBUG_HOSTS = (".localhost", "127.0.0.1", "[::1]")
"""What Django allows while DEBUG is on and ALLOWED_HOSTS is empty."""


class _Core:
    """The channel layers that come with fairway, declared as a plugin's are."""

    @hookimpl
    def fairway_channel_layers(self) -> Mapping[str, str]:
        """Declare memory and Redis."""
        redis = "fairway.core.bus.redis:RedisLayer"
        return {
            "memory": "fairway.core.bus.memory:MemoryLayer",
            "redis": redis,
            "rediss": redis,
            "redis+unix": redis,
        }


class Assembly:
    """The parts of one process.

    Args:
        settings: as read from `FAIRWAY`.
        builtin: further hook implementations of fairway itself, by name.

    Raises:
        FairwayError: a plugin or a setting is wrong.
    """

    def __init__(
        self, settings: Settings, builtin: Mapping[str, object] | None = None
    ) -> None:
        if settings.bus_version not in {None, *READABLE}:
            readable = " or ".join(map(str, sorted(READABLE)))
            raise ConfigurationError('FAIRWAY["BUS_VERSION"]', f"must be {readable}")
        self.plugins = Plugins(settings, {"core": _Core(), **(builtin or {})})
        self.settings = self.plugins.settings

    @cached_property
    def layer(self) -> ChannelLayer:
        """The channel layer; connects when it is first used."""
        policy = make_policy(self.settings, self.plugins)
        return make_layer(self.settings.layer, policy, self.plugins.channel_layers())

    @cached_property
    def router(self) -> Router:
        """The site's routes; imports consumer code."""
        return Router(self.settings.routing, self.plugins)

    @cached_property
    def site(self) -> Site:
        """What protocols may know of the site."""
        hosts = tuple(django_settings.ALLOWED_HOSTS)
        if django_settings.DEBUG and not hosts:
            hosts = DEBUG_HOSTS
        secret = str(django_settings.SECRET_KEY).encode()
        key = hmac.digest(secret, b"fairway.site", "sha256")
        return Site(
            allowed_hosts=hosts, debug=django_settings.DEBUG, key=Secret(key.hex())
        )

    def install(self) -> None:
        """Let Channel and Group of this process use this assembly's layer."""
        registry.reset()
        registry.install_factory(lambda: {registry.DEFAULT: self.layer})


def is_configured() -> bool:
    """Return whether the project uses fairway: without `FAIRWAY` nothing changes."""
    return getattr(django_settings, "FAIRWAY", None) is not None


def assemble(
    *,
    builtin: Mapping[str, object] | None = None,
    sections: Mapping[str, Mapping[str, Any]] | None = None,
) -> Assembly:
    """Make the assembly of this process.

    Args:
        builtin: further hook implementations of fairway itself, by name.
        sections: values that replace those of plugins' sections, by plugin.

    Raises:
        ImproperlyConfigured: a setting or a plugin is wrong, or `FAIRWAY` is missing.
    """
    given = getattr(django_settings, "FAIRWAY", None)
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured("FAIRWAY must be a dict in Django's settings.")
    try:
        settings = read_settings(_with_sections(given, sections or {}))
        return Assembly(settings, builtin)
    except FairwayError as error:
        raise ImproperlyConfigured(str(error)) from error


def make_layer(
    url: str, policy: LayerPolicy, schemes: Mapping[str, str]
) -> ChannelLayer:
    """Make the channel layer of a URL.

    Args:
        schemes: URL scheme to `module:Class`.

    Raises:
        ConfigurationError: nobody offers the scheme, or its package is missing.
    """
    setting = 'FAIRWAY["LAYER"]'
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise ConfigurationError(setting, f"is no URL: {error}") from None
    if scheme not in schemes:
        raise ConfigurationError(
            setting,
            f"has the scheme {scheme!r}; installed are {', '.join(sorted(schemes))}",
            nearest=nearest(scheme, schemes),
        )
    try:
        layer_class = import_path(schemes[scheme])
    except ImportError as error:
        raise ConfigurationError(setting, f"cannot be used: {error}") from error
    layer: ChannelLayer = layer_class(url, policy)
    return layer


def make_policy(settings: Settings, plugins: Plugins) -> LayerPolicy:
    """Return what channels may hold: overrides by pattern, then what events declare."""
    declared = {
        event.channel: (event.capacity, protocol.spec.ordering)
        for protocol in plugins.protocols.values()
        for event in protocol.spec.events
    }
    capacities = _compile(settings.capacities)
    expiries = _compile(settings.expiries)

    @lru_cache(maxsize=_MOST_STEMS)
    def capacity_by_stem(stem: str) -> int:
        default = declared.get(stem, (USER_CAPACITY, "none"))[0]
        return int(_first(capacities, stem, default))

    ordered = {name for name, (_, ordering) in declared.items() if ordering == "peer"}

    def declared_expiry(channel: str) -> float:
        return ORDERED_EXPIRY if channel in ordered else EXPIRY

    @lru_cache(maxsize=_MOST_STEMS)
    def expiry_by_stem(stem: str) -> float:
        return _first(expiries, stem, declared_expiry(stem))

    # Each client has a channel: what is kept is what those of one kind share.
    return LayerPolicy(
        capacity=lambda channel: capacity_by_stem(stem_of(channel)),
        expiry=(lambda channel: expiry_by_stem(stem_of(channel)))
        if expiries
        else declared_expiry,
        max_content=settings.max_content,
        version=settings.bus_version or VERSION,
    )


def connect_transactions() -> None:
    """Let `on_commit=True` wait for the current database transaction."""
    from django.db import transaction

    set_after_commit(transaction.on_commit)


def _with_sections(
    given: Mapping[str, Any], sections: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    if not sections:
        return dict(given)
    plugins = dict(given.get("PLUGINS", {"http": {}}))
    for plugin, section in sections.items():
        plugins[plugin] = {**plugins.get(plugin, {}), **section}
    return {**given, "PLUGINS": plugins}


def _compile(table: Mapping[str, float]) -> list[tuple[re.Pattern[str], float]]:
    return [(re.compile(translate(pattern)), value) for pattern, value in table.items()]


def _first(
    table: list[tuple[re.Pattern[str], float]], channel: str, default: float
) -> float:
    for pattern, value in table:
        if pattern.match(channel):
            return value
    return default
