"""The plugin's system checks, and what it offers to sites."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from fairway.core.plugin.loading import Plugins
from fairway.core.settings import read_settings
from fairway.plugins.sms import phone

BACKENDS = "django.contrib.sessions.backends"
APPS = [app for app in settings.INSTALLED_APPS if app != "django.contrib.sessions"]


def checks(**section: Any) -> list[str]:
    found = Plugins(read_settings({"PLUGINS": {"sms": section}})).checks()
    return [check.id for check in found]


@pytest.mark.parametrize(
    ("engine", "found"),
    [
        ("signed_cookies", ["sms.E001"]),
        ("cache", ["sms.W001"]),
        ("db", []),
        ("cached_db", []),
        ("file", []),
    ],
)
def test_sessions_must_be_kept_where_texts_reach_people(
    engine: str, found: list[str]
) -> None:
    with override_settings(SESSION_ENGINE=f"{BACKENDS}.{engine}"):
        assert checks(provider="a.b", prefixes=["+46"]) == found
        assert checks(provider="console") == []


@override_settings(SESSION_ENGINE=f"{BACKENDS}.db", INSTALLED_APPS=APPS)
def test_sessions_in_a_database_need_their_table() -> None:
    assert checks(provider="a.b", prefixes=["+46"]) == ["sms.E002"]


def test_a_real_vendor_without_prefixes_is_named() -> None:
    assert checks(provider="a.b") == ["sms.W002"]


def test_a_number_has_a_channel() -> None:
    assert phone("+46 70 123 45 67").name == "shared.sms!_2B46701234567"
    with pytest.raises(ValueError, match="no phone number"):
        phone("070 123 45 67")
