"""Mistakes in a site's settings that would forget an opt-out or waste money."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.kit import Check
from fairway.plugins.sms.spec import SmsConfig

__all__ = ["look_for_mistakes"]

_HARMLESS = {"console", "memory", "simulator"}
"""Providers whose texts reach nobody."""
_STORED = "django.contrib.sessions.backends.db, .cached_db or .file"


def look_for_mistakes(config: SmsConfig) -> Sequence[Check]:
    """Return what is wrong with the settings around the plugin."""
    if config.provider in _HARMLESS:
        return ()
    return (*_sessions(), *_prefixes(config))


def _sessions() -> Sequence[Check]:
    from django.conf import settings

    kind = settings.SESSION_ENGINE.rpartition(".")[2]
    if kind == "signed_cookies":
        return (
            Check(
                id="sms.E001",
                level="error",
                text="SESSION_ENGINE keeps sessions in cookies, so the sms plugin "
                "would forget who opted out.",
                hint=f"Set SESSION_ENGINE to {_STORED}.",
            ),
        )
    if kind in ("db", "cached_db") and (
        "django.contrib.sessions" not in settings.INSTALLED_APPS
    ):
        return (
            Check(
                id="sms.E002",
                level="error",
                text="The sms plugin remembers who opted out among the sessions, "
                "which have no table.",
                hint='Add "django.contrib.sessions" to INSTALLED_APPS and migrate, or '
                f"set SESSION_ENGINE to {_STORED}.",
            ),
        )
    if kind == "cache":
        return (
            Check(
                id="sms.W001",
                level="warning",
                text="SESSION_ENGINE keeps sessions in a cache, which may forget who "
                "opted out of texts.",
                hint=f"Set SESSION_ENGINE to {_STORED}.",
            ),
        )
    return ()


def _prefixes(config: SmsConfig) -> Sequence[Check]:
    if config.prefixes:
        return ()
    return (
        Check(
            id="sms.W002",
            level="warning",
            text="Texts may go to every country, which somebody may exploit.",
            hint='Name the beginnings of allowed numbers in the setting "prefixes" of '
            'the section "sms", such as ["+46"].',
        ),
    )
