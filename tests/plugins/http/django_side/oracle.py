"""Django's own reading of a request: the same bytes through its development server."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.core.servers.basehttp import WSGIRequestHandler

from fairway.plugins.http.request import FairwayRequest
from tests.plugins.http.django_side.host import Headers, Host

__all__ = ["both", "wsgi_request"]


class _Handler(WSGIRequestHandler):
    def __init__(self, raw: bytes) -> None:
        # Without a socket: BaseHTTPRequestHandler's constructor would serve one.
        self.rfile = io.BytesIO(raw)
        self.client_address = ("192.0.2.1", 5123)
        base = {
            "SERVER_NAME": "testserver",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_PORT": "80",
            "REMOTE_HOST": "",
            "CONTENT_LENGTH": "",
            "SCRIPT_NAME": "",
        }
        self.server: Any = SimpleNamespace(base_environ=base)
        self.raw_requestline = self.rfile.readline()
        assert self.parse_request()


def wsgi_request(raw: bytes) -> WSGIRequest:
    """Return what runserver would hand to a view."""
    handler = _Handler(raw)
    environ: dict[str, Any] = handler.get_environ()
    environ |= {"wsgi.input": handler.rfile, "wsgi.url_scheme": "http"}
    return WSGIRequest(environ)


def both(
    host: Host,
    method: str = "GET",
    target: str = "/",
    headers: Headers | None = None,
    body: bytes = b"",
) -> tuple[FairwayRequest, WSGIRequest]:
    """Return the same request as fairway and as Django read it."""
    fields = [("host", "testserver"), *(headers or [])]
    if body:
        fields.append(("content-length", str(len(body))))
    lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in fields), "", ""]
    raw = "\r\n".join(lines).encode("latin-1") + body
    message = host.message(method, target, headers=fields, body=body)
    return FairwayRequest(message), wsgi_request(raw)
