"""What Django keeps in a thread to make and resolve addresses: URLconf and prefix.

Asking it for them costs more than telling it, and either as much as a small view. So a
thread is told once, and then only after somebody else told it something.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial

from django.urls import base, set_script_prefix, set_urlconf

__all__ = ["Addresses"]


def _marker(local: object) -> Callable[[], object]:
    """Return what returns one object until the value in a `Local` is set again.

    asgiref keeps the values of a context in such an object; where it does not, each
    call returns another one.
    """
    variable = getattr(getattr(local, "_storage", None), "_data", None)
    return partial(variable.get, None) if isinstance(variable, ContextVar) else object


_urlconf_marker = _marker(base._urlconfs)  # type: ignore[attr-defined]
_prefix_marker = _marker(base._prefixes)  # type: ignore[attr-defined]


class _Told(threading.local):
    urlconf: object = object()
    prefix: object = object()


class Addresses:
    """The addresses of a site, in each thread that serves it.

    Args:
        urlconf: of the site.
        script_name: where the site begins.
    """

    def __init__(self, urlconf: str, script_name: str) -> None:
        self._urlconf = urlconf
        self._script_name = script_name
        self._told = _Told()

    def enter(self) -> None:
        """Have this thread make and resolve addresses of the site."""
        told = self._told
        if _urlconf_marker() is not told.urlconf:
            set_urlconf(self._urlconf)
            told.urlconf = _urlconf_marker()
        if _prefix_marker() is not told.prefix:
            set_script_prefix(self._script_name)
            told.prefix = _prefix_marker()

    def leave(self) -> None:
        """Take back the URLconf of one request; the site's own may stay."""
        if _urlconf_marker() is not self._told.urlconf:
            set_urlconf(None)
