"""Django's own handler, called with a message instead of an environ or a scope."""

from __future__ import annotations

from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import get_script_prefix, get_urlconf, set_script_prefix, set_urlconf
from django.utils.log import log_response

from fairway.kit import Message
from fairway.plugins.http.request import FairwayRequest
from fairway.plugins.http.response import answer
from fairway.plugins.http.signals import close_response, send_finished, send_started

__all__ = ["Application"]


class Application(BaseHandler):
    """The site: its middleware, its views, and what Django does around them.

    One serves all threads of a process, with the settings of when it was made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()
        self._debug = settings.DEBUG
        self._urlconf = settings.ROOT_URLCONF  # type: ignore[misc]  # a site has one
        self._script_name = settings.FORCE_SCRIPT_NAME or ""
        self._prefix = f"{self._script_name.removesuffix('/')}/"

    def __call__(self, message: Message) -> None:
        """Answer an `http.request` message.

        Raises:
            Exception: Django itself let it through (`DEBUG_PROPAGATE_EXCEPTIONS`), or
                a stream failed before the head of its response had left.
        """
        sender = type(self)
        request = FairwayRequest(message, self._script_name)
        self._enter()
        send_started(sender, request, debug=self._debug)
        try:
            response = self.get_response(request)
        except BaseException:
            request.close()
            send_finished(sender)
            _leave(request)
            raise
        response._handler_class = sender  # type: ignore[attr-defined]
        try:
            answer(request, response)
        finally:
            close_response(response)
            _leave(request)

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Return what the middleware and the view answer; `_enter` came before."""
        response: HttpResponseBase = self._middleware_chain(request)  # type: ignore[attr-defined]
        response._resource_closers.append(request.close)  # type: ignore[attr-defined]
        if response.status_code >= 400:
            log_response(
                "%s: %s",
                response.reason_phrase,
                request.path,
                response=response,  # type: ignore[arg-type]  # of any kind
                request=request,
            )
        return response

    def _enter(self) -> None:
        """Have this thread make and resolve addresses of the site.

        What a thread has been told it keeps: being told costs thrice as much as asking.
        """
        if get_urlconf() != self._urlconf:
            set_urlconf(self._urlconf)
            # Asking a thread that never was told costs more than telling it.
            set_script_prefix(self._prefix)
        elif get_script_prefix() != self._prefix:
            set_script_prefix(self._prefix)


def _leave(request: FairwayRequest) -> None:
    """Leave the thread without the URLconf of one request."""
    if "urlconf" in request.__dict__:
        set_urlconf(None)
