"""The setting `FAIRWAY`: its sections, their types, and what is said about mistakes.

Knows no Django: `fairway.core.assembly` hands over the plain dict.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from fairway.core.content import DEFAULT_MAX_CONTENT
from fairway.core.exceptions import ConfigurationError, nearest

__all__ = [
    "Config",
    "Limits",
    "Secret",
    "Settings",
    "metrics_address",
    "read_section",
    "read_settings",
]

_METRICS_BIND = re.compile(r"tcp:([0-9]{1,5}):interface=((?:[^:\\]|\\:)+)")
_MOST_PORT = 65_535

T = TypeVar("T")
ConfigT = TypeVar("ConfigT", bound="Config")


class Secret:
    """Text that never shows in logs, errors or `repr`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of a plugin's section: typed fields with their defaults.

    A string literal under each field documents it. Fields of type `Secret` are given as
    str. Every section may also have `limits`, which override `LIMITS` for the plugin.
    """

    limits: dict[str, int | float] = {}
    """Overrides of `FAIRWAY["LIMITS"]` for this plugin."""

    def check(self) -> None:
        """Raise ConfigurationError when values do not go together; optional.

        It may name a field alone: `ConfigurationError("idle", "must be above 0")`.
        """


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table for all protocols, enforced before anybody is authenticated."""

    peers: int = 50_000
    """Peers of one protocol in one interface server."""
    peers_per_address: int = 2_000
    """The same from one client address (IPv6: from one /64 network)."""
    handshakes_per_second: float = 200.0
    """New peers per second from one client address; of HTTP, connections that make a
    request and are not those of a trusted proxy."""
    messages_per_second: float = 1_000.0
    """Events per second of one peer, or requests of one HTTP connection; beyond that
    the connection is not read."""
    unsent_bytes: int = 1024 * 1024
    """Output waiting for one peer; beyond that it is disconnected. HTTP keeps on disk
    what is more, see `spool_response`."""
    held_events: int = 16
    """Events of one peer, or requests of one HTTP connection, that wait for a worker
    before the connection is not read."""
    held_bytes: int = 256 * 1024
    """Bytes of such events."""


class Settings(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="upper"
):
    """The whole of `FAIRWAY`."""

    layer: str = "memory://"
    """URL of the channel layer."""
    routing: str | list[Any] | dict[str, Any] | None = None
    """Dotted path of the site's routes, or the routes themselves; None sends HTTP to
    Django's views and nothing else."""
    plugins: dict[str, dict[str, Any]] = field(default_factory=lambda: {"http": {}})
    """The enabled plugins: name, or dotted path, and section."""
    strict_plugins: bool = True
    """Whether a plugin that cannot be loaded stops the start; else it is logged and the
    rest runs."""
    limits: Limits = Limits()
    """Limits of all protocols."""
    capacities: dict[str, int] = {}
    """Messages that a channel may hold, by pattern (`*` and `?` as in globs)."""
    expiries: dict[str, float] = {}
    """Seconds after which messages on a channel expire, by channel pattern."""
    max_content: int = DEFAULT_MAX_CONTENT
    """Bytes of one message's encoded content."""
    metrics_token: Secret | None = None
    """What `Authorization: Bearer ...` must carry at `/-/metrics` of interface servers;
    None serves no metrics there."""
    metrics_bind: str | None = None
    """Where interface servers serve metrics to whoever gets there, without a token,
    such as `tcp:9100:interface=127.0.0.1`; None serves no metrics there."""
    bus_version: int | None = None
    """Version of the records that this process writes, named while processes of an
    older fairway serve the site too; None is this release's own."""
    threads: int = 8
    """Threads of one worker process."""
    grace: float = 30.0
    """Seconds that a stopping process may take to end what it has begun."""

    def section(self, plugin: str, form: type[ConfigT]) -> ConfigT:
        """Return a plugin's section in its typed form; raises like `read_section`."""
        given = self.plugins.get(plugin, {})
        return read_section(given, form, f'FAIRWAY["PLUGINS"]["{plugin}"]')


def read_settings(given: Mapping[str, Any]) -> Settings:
    """Check the dict of `FAIRWAY`.

    Raises:
        ConfigurationError: an unknown key (naming the nearest one) or a wrong type.
    """
    sections = given.get("PLUGINS")
    for plugin, section in sections.items() if isinstance(sections, Mapping) else ():
        if not isinstance(section, Mapping):
            # msgspec would name the place `[...]`, as it does for all dicts.
            raise ConfigurationError(
                f'FAIRWAY["PLUGINS"]["{plugin}"]',
                f"must be a dict, not {type(section).__name__}",
            )
    settings = read_section(given, Settings, "FAIRWAY")
    if settings.metrics_token == Secret(""):
        # An empty variable of the environment would open the metrics to everybody.
        raise ConfigurationError('FAIRWAY["METRICS_TOKEN"]', "must not be empty")
    if settings.metrics_bind is not None:
        metrics_address(settings.metrics_bind)
    return settings


def metrics_address(bind: str) -> tuple[str, int]:
    """Return the address and the port in `METRICS_BIND`.

    Raises:
        ConfigurationError: it is something else. The interface must be named, because
            everybody who reaches it may read.
    """
    found = _METRICS_BIND.fullmatch(bind)
    if found is None or int(found[1]) > _MOST_PORT:
        raise ConfigurationError(
            'FAIRWAY["METRICS_BIND"]',
            'must be like "tcp:9100:interface=127.0.0.1"',
        )
    return found[2].replace("\\:", ":"), int(found[1])


def read_section(given: Mapping[str, Any], form: type[T], setting: str) -> T:
    """Check one section of the settings against its form.

    Args:
        form: a Struct class, such as a plugin's `Config`.
        setting: what errors call the section, such as `FAIRWAY["PLUGINS"]["udp"]`.

    Raises:
        ConfigurationError: an unknown key (naming the nearest one), a missing key, or a
            wrong type.
    """
    names = {one.encode_name: one.name for one in msgspec.structs.fields(form)}  # type: ignore[arg-type]
    for key in given:
        if key not in names:
            raise ConfigurationError(
                f"{setting}[{key!r}]".replace("'", '"'),
                "is not a setting",
                nearest=nearest(str(key), names),
            )
    for one in msgspec.structs.fields(form):  # type: ignore[arg-type]
        inner = given.get(one.encode_name)
        if (
            isinstance(one.type, type)
            and issubclass(one.type, Struct)
            and isinstance(inner, Mapping)
        ):
            read_section(inner, one.type, f'{setting}["{one.encode_name}"]')
    try:
        section = msgspec.convert(dict(given), form, strict=True, dec_hook=_secret)
    except msgspec.ValidationError as error:
        raise _explained(error, setting) from None
    if isinstance(section, Config):
        _check(section, names.values(), setting)
    return section


def _check(section: Config, fields: Collection[str], setting: str) -> None:
    try:
        section.check()
    except ConfigurationError as error:
        if error.setting in fields:  # it does not know what the section is called
            named = f'{setting}["{error.setting}"]'
            raise ConfigurationError(named, error.reason) from None
        raise


def _secret(form: type, value: Any) -> Any:
    if form is Secret and isinstance(value, str):
        return Secret(value)
    # Becomes a ValidationError; the value may be a secret, so it is not shown.
    raise TypeError(f"Expected `str`, got `{type(value).__name__}`")


def _explained(error: msgspec.ValidationError, setting: str) -> ConfigurationError:
    """Turn msgspec's text ("Expected `int`, got `str` - at `$.PORT`") into ours."""
    what, _, where = str(error).partition(" - at ")
    path = where.strip("`").removeprefix("$")
    named = re.sub(r"\.([A-Za-z_]\w*)", r'["\1"]', path)
    if missing := re.search(r"missing required field `(\w+)`", what):
        return ConfigurationError(f'{setting}{named}["{missing[1]}"]', "is required")
    reason = what[:1].lower() + what[1:]
    return ConfigurationError(f"{setting}{named}", f"is wrong: {reason}")
