"""Routing: which consumer gets a message.

    channel_routing = [
        route("websocket.receive", chat, path=r"^/chat/(?P<room>\\w+)/$"),
        include("polls.routing.routes", path=r"^/polls"),
        route_class(Lobby),
        route("*.receive", echo),
    ]

The first route that matches wins. Filters name a key of the content: a str is a regular
expression that the value must start with, and its named groups become the consumer's
arguments; another value must be equal. `include` cuts what its filters matched off the
front before the inner routes look.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from msgspec import Struct

from fairway.core.consumer.matching import Condition, Consumer, Rule, match
from fairway.core.consumer.message import Message
from fairway.core.content import Content
from fairway.core.exceptions import ConfigurationError, InvalidName
from fairway.core.names import check_channel
from fairway.core.plugin.loading import Plugins, import_path
from fairway.core.plugin.spec import ProtocolSpec

__all__ = ["Include", "Route", "Router", "Routing", "include", "route", "route_class"]

_SETTING = 'FAIRWAY["ROUTING"]'


class Route(Struct, frozen=True):
    """What `route` returns."""

    channels: tuple[str, ...]
    consumer: Consumer | str
    filters: Mapping[str, Any]


class Include(Struct, frozen=True):
    """What `include` returns."""

    routes: Routing
    filters: Mapping[str, Any]


Routing: TypeAlias = (
    "str | Sequence[Route | Include] | Mapping[str, Consumer | str] | Route | Include"
)
"""Routes, a dict of channels and consumers, or the dotted path of either."""


def route(
    channel: str | Sequence[str], consumer: Consumer | str, **filters: Any
) -> Route:
    """Send messages to a consumer.

    Args:
        channel: a name, or several. `*` and `?` stand for characters of the enabled
            protocols' events, and `*.` for every protocol whose peers can be talked to,
            that is, which has a `.receive` event.
        consumer: a callable or its dotted path.
        filters: see the module.
    """
    channels = (channel,) if isinstance(channel, str) else tuple(channel)
    return Route(channels, consumer, filters)


def route_class(consumer: Any, **filters: Any) -> Route:
    """Send all messages that a class-based consumer names to it.

    Raises:
        ValueError: it has no `channel_names()`.
    """
    if not callable(getattr(consumer, "channel_names", None)):
        raise ValueError(f"{consumer!r} has no channel_names(); use route() for it")
    return Route(tuple(sorted(consumer.channel_names())), consumer, filters)


def include(routes: Routing, *, prefix: str | None = None, **filters: Any) -> Include:
    """Use routes below a prefix.

    Args:
        routes: a list or dict of routes, or its dotted path.
        prefix: short for `path=`.
        filters: `channel=` is matched with the channel's name, the others as in routes.
    """
    return Include(routes, filters if prefix is None else {"path": prefix, **filters})


class Router:
    """The compiled routes of a site, with the default routes of its protocols behind.

    Args:
        routes: the site's routes, None for the default ones only.
        plugins: the enabled plugins.

    Raises:
        ConfigurationError: a route is wrong; names it.
    """

    def __init__(self, routes: Routing | None, plugins: Plugins) -> None:
        self._specs = [loaded.spec for loaded in plugins.protocols.values()]
        self._events = [event.channel for spec in self._specs for event in spec.events]
        self._rules: dict[str, list[Rule]] = {}
        self._rows: list[tuple[str, str, str]] = []
        if routes is not None:
            self._add(routes, ())
        for loaded in plugins.protocols.values():
            if loaded.spec.routes is not None:
                with plugins.lenient(loaded.plugin):
                    self._add(loaded.spec.routes, ())

    def channels(self) -> list[str]:
        """Return all events of enabled protocols, then the routes' other channels."""
        return list(dict.fromkeys([*self._events, *self._rules]))

    def match(self, message: Message) -> tuple[Consumer, dict[str, str]] | None:
        """Return the consumer of a message and what its route's groups matched."""
        content = message.content
        for rule in self._rules.get(message.channel, ()):
            if not rule.conditions:
                return rule.consumer, {}
            if (found := match(rule.conditions, content)) is not None:
                return rule.consumer, found
        return None

    def admits(self, channel: str, content: Content) -> bool:
        """Return whether a later event of a peer on `channel` could match a route.

        Args:
            content: of the peer's first event; filters on keys that it has not are met.
        """
        return any(rule.admits(content) for rule in self._rules.get(channel, ()))

    def nearest(self, message: Message) -> str | None:
        """Return the route for the message's channel that is most like its path."""
        path = message.path or ""
        rules = self._rules.get(message.channel, ())
        if not rules:
            return None
        return max(rules, key=lambda rule: _likeness(rule.pattern("path"), path)).label

    def describe(self) -> list[tuple[str, str, str]]:
        """Return channel, filters and consumer of each route, in order of matching."""
        return list(self._rows)

    def _add(self, routing: Any, outer: tuple[Condition, ...]) -> None:
        if isinstance(routing, str):
            self._add(_imported(routing, "the routes"), outer)
        elif isinstance(routing, Route):
            self._add_route(routing, outer)
        elif isinstance(routing, Include):
            inner = _conditions(
                routing.filters, f"include({routing.filters})", cut=True
            )
            self._add(routing.routes, (*outer, *inner))
        elif isinstance(routing, Mapping):
            for channel, consumer in routing.items():
                self._add(route(channel, consumer), outer)
        elif isinstance(routing, Sequence):
            for item in routing:
                self._add(item, outer)
        else:
            raise ConfigurationError(
                _SETTING,
                f"has {routing!r}, which is no route; use route(), route_class() or "
                "include()",
            )

    def _add_route(self, given: Route, outer: tuple[Condition, ...]) -> None:
        label = _label(given)
        conditions = (*outer, *_conditions(given.filters, label, cut=False))
        consumer = _consumer(given.consumer, label)
        shown = ", ".join(f"{one.key}={_shown(one.wanted)}" for one in conditions)
        for pattern in given.channels:
            self._rows.append((pattern, shown, _name(given.consumer)))
            for channel in self._expand(pattern, label):
                rest = _settle_channel(conditions, channel)
                if rest is not None:
                    rule = Rule(rest, consumer, label)
                    self._rules.setdefault(channel, []).append(rule)

    def _expand(self, pattern: str, label: str) -> list[str]:
        if "*" not in pattern and "?" not in pattern:
            try:
                return [check_channel(pattern)]
            except (InvalidName, TypeError) as error:
                raise ConfigurationError(_SETTING, f"{label}: {error}") from error
        specs = self._specs
        if pattern.startswith("*."):
            specs = [spec for spec in specs if _converses(spec)]
        names = [event.channel for spec in specs for event in spec.events]
        return [name for name in names if fnmatchcase(name, pattern)]


def _converses(spec: ProtocolSpec) -> bool:
    return any(event.channel == f"{spec.name}.receive" for event in spec.events)


def _settle_channel(
    conditions: tuple[Condition, ...], channel: str
) -> tuple[Condition, ...] | None:
    """Decide conditions on the channel's name; None when one is not met."""
    about_channel = [one for one in conditions if one.key == "channel"]
    if match(about_channel, {"channel": channel}) is None:
        return None
    return tuple(one for one in conditions if one.key != "channel")


def _conditions(
    filters: Mapping[str, Any], label: str, *, cut: bool
) -> tuple[Condition, ...]:
    return tuple(
        Condition(key, wanted, cut=cut and isinstance(wanted, re.Pattern))
        for key, value in filters.items()
        for wanted in [_compiled(key, value, label)]
    )


def _compiled(key: str, value: Any, label: str) -> Any:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        try:
            value = re.compile(value)
        except re.error as error:
            raise ConfigurationError(
                _SETTING, f"{label}: {key}={value!r} is no regular expression: {error}"
            ) from error
    if isinstance(value, re.Pattern) and value.groups != len(value.groupindex):
        raise ConfigurationError(
            _SETTING,
            f"{label}: {key}={value.pattern!r} has a group without a name; "
            "write (?P<name>...) or (?:...)",
        )
    return value


def _consumer(consumer: Any, label: str) -> Consumer:
    if isinstance(consumer, str):
        consumer = _imported(consumer, label)
    # A class-based consumer is an instance per message.
    called = getattr(consumer, "consume", consumer)
    if not callable(called):
        raise ConfigurationError(_SETTING, f"{label}: {consumer!r} is not callable")
    return called  # type: ignore[no-any-return]


def _imported(path: str, label: str) -> Any:
    try:
        return import_path(path)
    except (ImportError, ValueError) as error:
        raise ConfigurationError(
            _SETTING, f"{label}: {path!r} cannot be imported: {error}"
        ) from error


def _label(given: Route) -> str:
    channels = given.channels[0] if len(given.channels) == 1 else list(given.channels)
    filters = "".join(f", {key}={_shown(one)}" for key, one in given.filters.items())
    return f"route({channels!r}, {_name(given.consumer)}{filters})"


def _shown(wanted: Any) -> str:
    return repr(wanted.pattern if isinstance(wanted, re.Pattern) else wanted)


def _name(consumer: Any) -> str:
    if isinstance(consumer, str):
        return consumer
    name = getattr(consumer, "__qualname__", None)
    return f"{consumer.__module__}.{name}" if name else repr(consumer)


def _likeness(pattern: str, path: str) -> int:
    # Cheap, because any client may ask for any path: what both start and end with.
    return _shared(pattern, path) + _shared(pattern[::-1], path[::-1])


def _shared(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    shortest = min(len(one), len(other))
    return next((index for index, (a, b) in pairs if a != b), shortest)
