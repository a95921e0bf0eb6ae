"""What the doctor finds on the site of the tests with other settings."""

from __future__ import annotations

from typing import Any

from django.test import override_settings

from fairway.management.doctor.examination import examine
from fairway.management.doctor.findings import Finding

KEY = "a key for tests with fifty characters, or some more"
HOSTS = ["example.com"]


def findings(fairway: dict[str, Any], **settings: Any) -> list[Finding]:
    """Examine a site that runs in production unless its settings say otherwise."""
    settings = {"SECRET_KEY": KEY, "ALLOWED_HOSTS": HOSTS, "DEBUG": False} | settings
    with override_settings(FAIRWAY=fairway, **settings):
        return list(examine())


def codes(fairway: dict[str, Any], **settings: Any) -> set[str]:
    """Return the codes of `findings`."""
    return {finding.code for finding in findings(fairway, **settings)}
