"""The default route of http: requests go to Django's views."""

from __future__ import annotations

import threading
from typing import Any

from django.core.signals import setting_changed

from fairway.kit import Message, route
from fairway.plugins.http import static
from fairway.plugins.http.application import Application

__all__ = ["routes", "serve"]

_TAKEN = frozenset(
    {
        "DEBUG",
        "FORCE_SCRIPT_NAME",
        "INSTALLED_APPS",
        "MIDDLEWARE",
        "ROOT_URLCONF",
        "STATIC_URL",
    }
)
"""Settings that an application has taken over when it was made."""

_lock = threading.Lock()
_application: Application | None = None


def serve(message: Message) -> None:
    """Answer an `http.request` message as Django does, with all its middleware."""
    (_application or _load())(message)


def _load() -> Application:
    global _application
    with _lock:
        if _application is None:
            files = static.are_served()
            _application = static.StaticFilesApplication() if files else Application()
        return _application


def _forget(*, setting: str, **_: Any) -> None:
    """Tests change settings, and expect the next request to see it."""
    global _application
    if setting in _TAKEN:
        _application = None


setting_changed.connect(_forget)

routes = [route("http.request", serve)]
