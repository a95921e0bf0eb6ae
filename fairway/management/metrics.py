"""Metrics of one process, on a port of its own, served by threads of its own.

So they are there while the process is busy, and whatever goes wrong with them costs
the request that asked, nothing else.
"""

from __future__ import annotations

import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from django.core.management.base import CommandError

from fairway.core.metrics import Metrics

__all__ = ["MetricsServer"]

_MOST = 8
"""Requests at once; a scraper needs one."""
_PATIENCE = 5.0
"""Seconds that a client may take to ask, and to read."""
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_PLAIN = "text/plain; charset=utf-8"

log = logging.getLogger("fairway.metrics")


class MetricsServer:
    """Listens from the beginning, answers once it knows the metrics.

    Args:
        option: where the address was given, for errors.

    Raises:
        CommandError: the port cannot be had.
    """

    def __init__(self, host: str, port: int, *, option: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._server = _Server((host, port), family)
        except OSError as error:
            why = error.strerror or str(error)
            raise CommandError(f"{option}: {host}:{port}: {why}") from error

    @property
    def port(self) -> int:
        """Where it listens; the system's choice if 0 was asked for."""
        return self._server.server_port

    def start(self, metrics: Metrics) -> None:
        """Answer, until the process ends or `close`."""
        self._server.metrics = metrics
        threading.Thread(
            target=self._server.serve_forever, name="fairway-metrics", daemon=True
        ).start()
        host = str(self._server.server_address[0])
        shown = f"[{host}]" if ":" in host else host
        log.info("metrics at http://%s:%d/metrics", shown, self.port)

    def close(self) -> None:
        """Stop answering, and give the port back."""
        if self._server.metrics is not None:
            self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = _MOST  # fewer, and a burst of them waits for a second
    metrics: Metrics | None = None

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily) -> None:
        self.address_family = family
        self._room = threading.Semaphore(_MOST)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's own: it asks the DNS for a name that nobody needs.
        TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that leaves is nobody's fault; standard error is not for it.
        log.debug("a scraper at %s was not answered", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE
    server_version = "fairway"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        if self.path.partition("?")[0] not in ("/metrics", "/-/metrics"):
            self._answer(404, b"metrics are at /metrics\n")
            return
        metrics = self.server.metrics
        assert metrics is not None
        try:
            text = metrics.text()
        except Exception:
            log.exception("the metrics could not be read")
            self._answer(500, b"the metrics could not be read\n")
            return
        self._answer(200, text, _TEXT)

    def _answer(self, status: int, body: bytes, kind: str = _PLAIN) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("%s %s", self.client_address[0], format % args)
