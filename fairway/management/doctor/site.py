"""What can be seen in the settings and the routes alone."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from django.conf import settings
from django.core import checks

from fairway.checks import check_site
from fairway.core.assembly import Assembly
from fairway.core.plugin.loading import installed
from fairway.management.doctor.findings import Finding, Level, found

__all__ = ["look_at_packages", "look_at_plugins", "look_at_settings", "system_checks"]

_SHORTEST_KEY = 50
_FEWEST_CHARACTERS = 5
_GENERATED = "django-insecure-"
_WIDEST = {4: 8, 6: 32}
"""Bits of a network's prefix; fewer are the internet, or most of it."""
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?([^;]*)(?:;(.*))?")
_BOUND = re.compile(r"(>=|<=|==|!=|<|>)\s*([0-9.]+)")


def system_checks() -> list[Finding]:
    """Return what Django's system checks of fairway and its plugins find."""
    return [
        Finding(
            check.id or "", _level(check.level), check.msg.strip(), check.hint or ""
        )
        for check in check_site(None)
    ]


def look_at_settings() -> Iterator[Finding]:
    """Look at what Django needs in production."""
    hosts = settings.ALLOWED_HOSTS
    if settings.DEBUG:
        yield found("fairway.D001", "DEBUG is on.")
    elif not hosts:
        yield found("fairway.D002", "ALLOWED_HOSTS is empty and DEBUG is off.")
    if "*" in hosts:
        yield found("fairway.D003", "ALLOWED_HOSTS has '*'.")
    key = str(settings.SECRET_KEY)
    if (
        len(key) < _SHORTEST_KEY
        or len(set(key)) < _FEWEST_CHARACTERS
        or key.startswith(_GENERATED)
    ):
        yield found("fairway.D004", "SECRET_KEY can be guessed.")


def look_at_packages() -> Iterator[Finding]:
    """Compare what is installed with the ranges that fairway declares."""
    for name, bounds in sorted(_ranges()):
        try:
            own = version(name)
        except PackageNotFoundError:
            continue
        if not _lies_within(own, bounds):
            text = f"{name} is {own}; fairway wants {bounds}."
            yield found("fairway.D005", text)


def look_at_plugins(assembly: Assembly) -> Iterator[Finding]:
    """Look at routes and at what protocols have in their sections."""
    protocols = assembly.plugins.protocols
    events = {event.channel for one in protocols.values() for event in one.spec.events}
    prefixes = {*protocols, *installed()}
    for channel in assembly.router.channels():
        if channel not in events and channel.partition(".")[0] in prefixes:
            text = f"A route takes {channel}, which no enabled plugin emits."
            yield found("fairway.D006", text)
    http = protocols.get("http")
    if http is not None:
        yield from _look_at_proxies(http.config)
    if assembly.settings.layer.startswith("memory:"):
        yield found("fairway.D009", "The layer is memory://, of one process only.")


def _look_at_proxies(config: Any) -> Iterator[Finding]:
    for proxy in config.trusted_proxies:
        if proxy == "unix":
            continue
        network = ipaddress.ip_network(proxy)
        if network.prefixlen < _WIDEST[network.version]:
            text = (
                f"trusted_proxies of http has {proxy}, which are very many addresses."
            )
            yield found("fairway.D007", text)
    only_unix = all(endpoint.startswith("unix:") for endpoint in config.bind)
    if config.bind and only_unix and "unix" not in config.trusted_proxies:
        yield found(
            "fairway.D008",
            "http listens to Unix sockets only, and trusted_proxies lacks 'unix'.",
        )


def _level(level: int) -> Level:
    if level >= checks.ERROR:
        return "error"
    return "warning" if level >= checks.WARNING else "info"


def _ranges() -> Iterator[tuple[str, str]]:
    """Yield the packages that fairway uses at run time, and their ranges."""
    for line in set(requires("fairway") or ()):
        if (match := _REQUIREMENT.fullmatch(line)) is None:
            continue
        name, bounds, marker = match.groups()
        extra = re.search(r"extra == ['\"](\w+)", marker or "")
        if bounds.strip() and (extra is None or extra[1] == "all"):
            yield name, bounds.strip()


def _lies_within(installed: str, bounds: str) -> bool:
    own = _numbers(installed)
    compare = {
        ">=": lambda wanted: own >= wanted,
        "<=": lambda wanted: own <= wanted,
        "==": lambda wanted: own == wanted,
        "!=": lambda wanted: own != wanted,
        "<": lambda wanted: own < wanted,
        ">": lambda wanted: own > wanted,
    }
    return all(compare[sign](_numbers(bound)) for sign, bound in _BOUND.findall(bounds))


def _numbers(text: str) -> tuple[int, ...]:
    """Return the release of a version without zeros at its end."""
    release = re.match(r"[\d.]*", text)
    numbers = [int(part) for part in re.findall(r"\d+", release[0] if release else "")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
