"""Django's system checks of a site that uses fairway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from fairway.core.assembly import assemble

__all__ = ["check_site"]

_LEVELS = {"error": checks.ERROR, "warning": checks.WARNING, "info": checks.INFO}
_RUNSERVERS = {"django.contrib.staticfiles", "daphne", "channels"}
"""Apps with a `runserver` of their own: the first in INSTALLED_APPS wins."""


def check_site(
    app_configs: Sequence[Any] | None, **kwargs: object
) -> list[checks.CheckMessage]:
    """Check the order of INSTALLED_APPS, the settings, and what plugins look for."""
    return [*_check_order(), *_check_settings()]


def _check_order() -> list[checks.CheckMessage]:
    names = [app.partition(".apps.")[0] for app in settings.INSTALLED_APPS]
    before = names[: names.index("fairway")] if "fairway" in names else []
    if not (first := _RUNSERVERS.intersection(before)):
        return []
    return [
        checks.Error(
            f"{', '.join(sorted(first))} stands before fairway in INSTALLED_APPS, so "
            "its runserver is used instead of fairway's.",
            hint='Put "fairway" first.',
            id="fairway.E001",
        )
    ]


def _check_settings() -> list[checks.CheckMessage]:
    try:
        assembly = assemble()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), id="fairway.E002")]
    found = [
        checks.CheckMessage(
            _LEVELS[check.level], check.text, hint=check.hint, id=check.id
        )
        for check in assembly.plugins.checks()
    ]
    found += [
        checks.Warning(f"Plugin {name!r} is left out: {error}", id="fairway.W001")
        for name, error in assembly.plugins.failed.items()
    ]
    return found
