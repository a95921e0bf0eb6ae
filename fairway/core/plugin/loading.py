"""Finds the enabled plugins, loads them, and collects what they declare."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any, TypeAlias

import msgspec
import pluggy
from msgspec import Struct

from fairway.core.exceptions import (
    FairwayError,
    MissingExtra,
    PluginError,
    UnknownPlugin,
    nearest,
)
from fairway.core.names import check_channel
from fairway.core.plugin import hookspecs
from fairway.core.plugin.hookspecs import Check, Filter
from fairway.core.plugin.redaction import hide_secrets
from fairway.core.plugin.spec import API_VERSION, ProtocolSpec
from fairway.core.plugin.web import Mount
from fairway.core.settings import Config, Settings

__all__ = [
    "DeclaredFilter",
    "DeclaredMount",
    "LoadedProtocol",
    "PluginFailed",
    "Plugins",
    "import_path",
    "installed",
]

GROUP = "fairway"
"""The group of entry points; an entry's name is the plugin's name."""

_FORMS: Mapping[str, type] = {
    "fairway_protocols": ProtocolSpec,
    "fairway_mounts": Mount,
    "fairway_checks": Check,
}
"""What each hook that declares something returns a sequence of."""

_LOGGERS = (
    "fairway.drops",
    "fairway.interfaces",
    "fairway.metrics",
    "fairway.plugins",
    "fairway.worker",
)
"""Whose lines may hold what a plugin or a consumer raised."""

log = logging.getLogger("fairway.plugins")


DeclaredFilter: TypeAlias = tuple[str, Filter]
"""The plugin that declared a filter, and the filter."""
PluginFailed: TypeAlias = Callable[[str, str, Exception], None]
"""Is told of an exception: (plugin, what raised it, the exception)."""


class LoadedProtocol(Struct, frozen=True):
    """An enabled protocol with its checked section."""

    plugin: str
    spec: ProtocolSpec
    config: Config


class DeclaredMount(Struct, frozen=True):
    """A mount and the plugin that declared it."""

    plugin: str
    mount: Mount


def installed() -> Mapping[str, str]:
    """Return the plugins that distributions offer: name to module."""
    return _offered(tuple(sys.path))


@lru_cache(maxsize=1)
def _offered(path: tuple[str, ...]) -> Mapping[str, str]:
    # It reads a file of each distribution on the path, tens of milliseconds in all.
    return {entry.name: entry.value for entry in entry_points(group=GROUP)}


def import_path(path: str) -> Any:
    """Import `package.module:attribute` or `package.module.attribute`.

    Raises:
        ImportError: it is not there.
    """
    module, colon, attribute = path.partition(":")
    if not colon:
        module, _, attribute = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except AttributeError:
        raise ImportError(f"{module!r} has no {attribute!r}") from None


class Plugins:
    """The enabled plugins of this process.

    Args:
        settings: as read; dotted paths among its plugins become short names here.
        builtin: hook implementations of fairway itself, by name.

    Raises:
        UnknownPlugin: nobody offers an enabled plugin.
        MissingExtra: a plugin needs a package that is not installed.
        PluginError: a plugin cannot be imported, or a declaration raised.
        ConfigurationError: a plugin's section is wrong.
    """

    def __init__(
        self, settings: Settings, builtin: Mapping[str, object] | None = None
    ) -> None:
        self.settings = settings
        self.protocols: dict[str, LoadedProtocol] = {}
        self.failed: dict[str, FairwayError] = {}
        """Plugins that could not be loaded, with STRICT_PLUGINS off."""
        self._manager = pluggy.PluginManager("fairway")
        self._manager.add_hookspecs(hookspecs)
        for name, plugin in (builtin or {}).items():
            self._manager.register(plugin, name=name)
        offered = installed()
        for key in list(settings.plugins):
            try:
                self._load(key, offered)
            except FairwayError as error:
                if self.settings.strict_plugins:
                    raise
                self.failed[key] = error
                log.error("plugin %s is left out: %s", key, error)
        configs = [protocol.config for protocol in self.protocols.values()]
        for logger in _LOGGERS:
            hide_secrets(logging.getLogger(logger), configs)

    def channel_layers(self) -> dict[str, str]:
        """Return where the classes of channel layers are: URL scheme to path."""
        found: dict[str, str] = {}
        for _, layers in self._collect("fairway_channel_layers"):
            found.update(layers)
        return found

    def mounts(self) -> list[DeclaredMount]:
        """Return all mounts, longest prefix first."""
        found = [
            DeclaredMount(plugin, mount)
            for plugin, mounts in self._collect(
                "fairway_mounts", settings=self.settings
            )
            for mount in mounts
        ]
        return sorted(found, key=lambda declared: -len(declared.mount.prefix))

    def event_filters(self) -> tuple[DeclaredFilter, ...]:
        """Return the filters of events, in order of the settings."""
        return self._filters("fairway_event_filters")

    def reply_filters(self) -> tuple[DeclaredFilter, ...]:
        """Return the filters of replies, in order of the settings."""
        return self._filters("fairway_reply_filters")

    def checks(self) -> list[Check]:
        """Return what plugins find wrong with the site."""
        collected = self._collect("fairway_checks", settings=self.settings)
        return [check for _, checks in collected for check in checks]

    @contextmanager
    def lenient(self, plugin: str) -> Iterator[None]:
        """Take a plugin for failed when the block raises, where settings say so.

        Raises:
            PluginError: the block raised, and STRICT_PLUGINS is on.
        """
        try:
            yield
        except Exception as error:
            named = PluginError(plugin, f"cannot be used: {error}")
            if self.settings.strict_plugins:
                raise named from error
            self.failed[plugin] = named
            log.error("plugin %s is left out: %s", plugin, named)

    def notify(self, hook: str, /, **arguments: Any) -> None:
        """Call a hook of all plugins; an exception is logged and goes no further."""
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            try:
                _call(implementation, arguments)
            except Exception as error:
                name = implementation.plugin_name
                log.exception("hook %s of %s failed", hook, name)
                if hook != "fairway_plugin_failed":
                    self.report(name, hook, error)

    def report(self, plugin: str, what: str, error: Exception) -> None:
        """Tell plugins that code of one of them has raised, which is logged already."""
        self.notify("fairway_plugin_failed", plugin=plugin, hook=what, exception=error)

    def listens(self, hook: str) -> bool:
        """Return whether any plugin implements a hook."""
        return bool(getattr(self._manager.hook, hook).get_hookimpls())

    def plugin_of(self, protocol: str) -> str:
        """Return the name of the plugin that declared a protocol."""
        return self.protocols[protocol].plugin

    def _load(self, key: str, offered: Mapping[str, str]) -> None:
        name = key.replace(":", ".").rpartition(".")[2]
        module = self._import(key, offered)
        if self._manager.has_plugin(name):
            raise PluginError(name, "is enabled twice")
        try:
            self._manager.register(module, name=name)
        except pluggy.PluginValidationError as error:
            raise PluginError(name, f"a hook has wrong arguments: {error}") from error
        except ValueError as error:  # the module, under another name
            raise PluginError(name, "is enabled twice") from error
        try:
            self._check_hooks(name, module)
            self._adopt_section(key, name)
            self._add_protocols(name)
        except FairwayError:
            self._manager.unregister(name=name)
            self.protocols = {
                protocol: loaded
                for protocol, loaded in self.protocols.items()
                if loaded.plugin != name
            }
            raise

    def _import(self, key: str, offered: Mapping[str, str]) -> object:
        path = offered.get(key, key if "." in key else "")
        if not path:
            raise UnknownPlugin(key, offered)
        try:
            return import_path(path) if ":" in path else importlib.import_module(path)
        except FairwayError:
            raise
        except Exception as error:
            raise PluginError(key, f"cannot be imported: {error!r}") from error

    def _check_hooks(self, name: str, module: object) -> None:
        known = {hook for hook in vars(hookspecs) if hook.startswith("fairway_")}
        for attribute in dir(module):
            if not attribute.startswith("fairway_"):
                continue
            if attribute not in known:
                close = nearest(attribute, known)
                hint = f"; did you mean {close!r}?" if close else ""
                raise PluginError(name, f"{attribute!r} is no hook of fairway{hint}")
            if not hasattr(getattr(module, attribute), "fairway_impl"):
                raise PluginError(name, f"{attribute!r} lacks @hookimpl before it")

    def _adopt_section(self, key: str, name: str) -> None:
        if key != name:
            sections = {
                (name if given == key else given): section
                for given, section in self.settings.plugins.items()
            }
            self.settings = msgspec.structs.replace(self.settings, plugins=sections)

    def _add_protocols(self, name: str) -> None:
        implementations = self._manager.hook.fairway_protocols.get_hookimpls()
        for implementation in implementations:
            if implementation.plugin_name == name:
                for spec in _declared(name, implementation, {}):
                    try:
                        self._add_protocol(name, spec)
                    except FairwayError:
                        raise
                    except Exception as error:  # a field holds what it may not
                        raise PluginError(
                            name, f"has a wrong spec of {spec.name!r}: {error!r}"
                        ) from error

    def _add_protocol(self, name: str, spec: ProtocolSpec) -> None:
        if spec.api != API_VERSION:
            raise PluginError(
                name,
                f"was written for plugin API {spec.api}, this is {API_VERSION}",
            )
        if other := self.protocols.get(spec.name):
            raise PluginError(
                name, f"{spec.name!r} is also declared by {other.plugin!r}"
            )
        _check_spec(name, spec)
        for module in spec.requires:
            if not _is_installed(module):
                raise MissingExtra(name, module, spec.install or module)
        config = self.settings.section(name, spec.config)
        self.protocols[spec.name] = LoadedProtocol(name, spec, config)

    def _filters(self, hook: str) -> tuple[DeclaredFilter, ...]:
        collected = self._collect(hook, settings=self.settings)
        return tuple((name, one) for name, filters in collected for one in filters)

    def _collect(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        # get_hookimpls() has the last registered last; settings order is wanted.
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            name = implementation.plugin_name
            try:
                yield name, _declared(name, implementation, arguments)
            except FairwayError as error:
                if self.settings.strict_plugins:
                    raise
                self.failed[name] = error
                log.error("%s of %s is left out: %s", hook, name, error)


def _check_spec(plugin: str, spec: ProtocolSpec) -> None:
    if not issubclass(spec.config, Config):
        raise PluginError(plugin, f"{spec.name!r} has a config that is no Config")
    seen: set[str] = set()
    for event in spec.events:
        if not event.channel.startswith(f"{spec.name}."):
            raise PluginError(
                plugin, f"event {event.channel!r} must begin with '{spec.name}.'"
            )
        if check_channel(event.channel) in seen:
            raise PluginError(plugin, f"event {event.channel!r} is declared twice")
        seen.add(event.channel)
    if spec.ordering == "peer" and spec.peers == "none":
        raise PluginError(plugin, f"{spec.name!r} orders by peer but has no peers")


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:  # a parent of it is missing
        return False


def _declared(
    name: str, implementation: pluggy.HookImpl, arguments: Mapping[str, Any]
) -> Any:
    function = implementation.function.__name__
    try:
        declared = _call(implementation, arguments) or ()
    except FairwayError:
        raise
    except Exception as error:
        raise PluginError(name, f"{function} raised {error!r}") from error
    if not _is_well_formed(function, declared):
        raise PluginError(name, f"{function} returned {declared!r}")
    return declared


def _is_well_formed(hook: str, declared: Any) -> bool:
    if hook == "fairway_channel_layers":
        return not declared or isinstance(declared, Mapping)
    if not isinstance(declared, Sequence):
        return False
    if (form := _FORMS.get(hook)) is not None:
        return all(isinstance(each, form) for each in declared)
    return all(callable(each) for each in declared)


def _call(implementation: pluggy.HookImpl, arguments: Mapping[str, Any]) -> Any:
    named: Sequence[str] = implementation.argnames
    return implementation.function(*(arguments[argument] for argument in named))
