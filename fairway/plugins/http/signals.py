"""Django's request signals, without their price while nobody but Django listens.

Sending both costs more than Django's handler does, nearly all of it for five receivers
of Django itself. Their work is done directly unless anybody else listens too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from django.core.cache import caches, close_caches
from django.core.cache.backends.base import BaseCache
from django.core.handlers.base import reset_urlconf
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries
from django.dispatch import Signal
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

__all__ = ["close_response", "send_finished", "send_started"]

logger = logging.getLogger("fairway.http")

_Calls: TypeAlias = list[Callable[[], None]]


class _Shortcut:
    """A signal's receivers, as far as they are Django's own, without the signal.

    Args:
        table: each receiver of Django with what is done in its place, if anything is.
    """

    def __init__(
        self,
        signal: Signal,
        *table: tuple[Callable[..., Any], Callable[[], None] | None],
    ) -> None:
        self._signal = signal
        self._table = {id(receiver): call for receiver, call in table}
        # Receivers and what follows from them are one value: threads come and go.
        self._known: tuple[list[Any], _Calls | None] = ([], [])

    def calls(self) -> _Calls | None:
        """Return what to do instead of sending, None when somebody else listens."""
        receivers, calls = self._known
        if self._signal.receivers != receivers:
            receivers = list(self._signal.receivers)
            calls = self._instead_of(receivers)
            self._known = receivers, calls
        return calls

    def _instead_of(self, receivers: list[Any]) -> _Calls | None:
        # The first element of each entry starts with the receiver's id, in all versions
        # of Django that have signals; one with a dispatch_uid is a stranger.
        ids = [entry[0][0] for entry in receivers]
        if not self._table.keys() >= set(ids):
            return None
        return [call for each in ids if (call := self._table[each]) is not None]


def send_started(sender: type, request: HttpRequest, *, debug: bool) -> None:
    """Say that a request begins, as a WSGI server would.

    Args:
        debug: whether Django logs queries. It does so too while somebody captures
            them, who takes the receiver that forgets them off the signal.
    """
    if (calls := _AT_START.calls()) is None:
        request_started.send(sender=sender, environ=request.META)
    elif debug:
        for call in calls:
            call()


def send_finished(sender: type) -> None:
    """Say that a request has ended."""
    if (calls := _AT_END.calls()) is None:
        request_finished.send(sender=sender)
        return
    for call in calls:
        call()


def close_response(response: HttpResponseBase) -> None:
    """Close a response, which also says that its request has ended.

    An exception of a receiver is logged: the answer has been given.
    """
    try:
        if getattr(response.close, "__func__", None) is not HttpResponseBase.close:
            response.close()
            return
        for closer in response._resource_closers:  # type: ignore[attr-defined]
            try:
                closer()
            except Exception:
                logger.debug("Closing a part of a response failed", exc_info=True)
        response._resource_closers.clear()  # type: ignore[attr-defined]
        response.closed = True
        send_finished(response._handler_class)  # type: ignore[attr-defined]
    except Exception:
        logger.exception("A receiver of request_finished failed")


def _close_caches() -> None:
    backends = caches.settings
    if backends is not _known.backends:
        _look_at(backends)
    if _known.are_closed:
        close_caches()


class _Known(NamedTuple):
    backends: Mapping[str, Any]
    are_closed: bool
    """Whether closing does anything in one of the cache backends."""


_known = _Known({}, False)


def _look_at(backends: Mapping[str, Any]) -> None:
    global _known
    classes = [import_string(one["BACKEND"]) for one in backends.values()]
    _known = _Known(backends, any(one.close is not BaseCache.close for one in classes))


# Connections are closed by the worker, around each consumer; `Application` sees to the
# URLconf.
_AT_START = _Shortcut(
    request_started, (reset_queries, reset_queries), (close_old_connections, None)
)
_AT_END = _Shortcut(
    request_finished,
    (close_old_connections, None),
    (close_caches, _close_caches),
    (reset_urlconf, None),
)
