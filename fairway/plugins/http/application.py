"""Django's own handler, called with a message instead of an environ or a scope."""

from __future__ import annotations

from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.log import log_response

from fairway.kit import Message
from fairway.plugins.http.addresses import Addresses
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
        self._script_name = settings.FORCE_SCRIPT_NAME or ""
        urlconf = settings.ROOT_URLCONF  # type: ignore[misc]  # a site has one
        self._addresses = Addresses(urlconf, self._script_name)

    def __call__(self, message: Message) -> None:
        """Answer an `http.request` message.

        Raises:
            Exception: Django itself let it through (`DEBUG_PROPAGATE_EXCEPTIONS`), or
                a stream failed before the head of its response had left.
        """
        sender = type(self)
        request = FairwayRequest(message, self._script_name)
        self._addresses.enter()
        send_started(sender, request, debug=self._debug)
        try:
            response = self.get_response(request)
        except BaseException:
            request.close()
            send_finished(sender)
            self._addresses.leave()
            raise
        response._handler_class = sender  # type: ignore[attr-defined]
        try:
            answer(request, response)
        finally:
            close_response(response)
            self._addresses.leave()

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Return what middleware and view answer; the thread was told its URLconf."""
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
