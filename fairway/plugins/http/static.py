"""Static files in development, as Django's own runserver serves them."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlparse

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandlerMixin
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from fairway.plugins.http.application import Application

__all__ = ["StaticFilesApplication", "are_served", "serve_static_files"]

_chosen: bool | None = None


def serve_static_files(chosen: bool | None = True) -> None:
    """Choose whether this process serves static files; before its first request.

    Args:
        chosen: True also without DEBUG (`--insecure`), False never (`--nostatic`), None
            while DEBUG is on.
    """
    global _chosen
    _chosen = chosen


def are_served() -> bool:
    """Return whether this process serves static files."""
    if not apps.is_installed("django.contrib.staticfiles"):
        return False
    return settings.DEBUG if _chosen is None else _chosen


class StaticFilesApplication(Application):
    """The site, and in front of its middleware the files below STATIC_URL."""

    def __init__(self) -> None:
        super().__init__()
        self._files = _Files()
        # Django's own lets a path that leads out of the folders be a 500.
        self._serve = convert_exception_to_response(self._files.serve)

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Return a file, or what the site answers."""
        if not self._files.has(request):
            return super().get_response(request)
        response = cast(HttpResponseBase, self._serve(request))
        response._resource_closers.append(request.close)  # type: ignore[attr-defined]
        return response


class _Files(StaticFilesHandlerMixin):
    def __init__(self) -> None:
        self.base_url = urlparse(self.get_base_url())

    def has(self, request: HttpRequest) -> bool:
        return self._should_handle(request.path_info)
