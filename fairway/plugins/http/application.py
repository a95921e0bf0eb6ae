"""Django's own handler, called with a message instead of an environ or a scope."""

from __future__ import annotations

from django.core.handlers.base import BaseHandler
from django.urls import set_script_prefix

from fairway.kit import Message
from fairway.plugins.http.request import FairwayRequest
from fairway.plugins.http.response import answer
from fairway.plugins.http.signals import close_response, send_finished, send_started

__all__ = ["Application"]


class Application(BaseHandler):
    """The site: its middleware, its views, and what Django does around them.

    One serves all threads of a process.
    """

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()

    def __call__(self, message: Message) -> None:
        """Answer an `http.request` message.

        Raises:
            Exception: Django itself let it through (`DEBUG_PROPAGATE_EXCEPTIONS`), or
                a stream failed before the head of its response had left.
        """
        sender = type(self)
        request = FairwayRequest(message)
        set_script_prefix(request.script_name)
        send_started(sender, request)
        try:
            response = self.get_response(request)
        except BaseException:
            request.close()
            send_finished(sender)
            raise
        response._handler_class = sender  # type: ignore[attr-defined]
        try:
            answer(request, response)
        finally:
            close_response(response)
