"""Metrics of one process, on a port of its own that only this machine can reach."""

from __future__ import annotations

import logging

from django.core.management.base import CommandError
from prometheus_client import start_http_server

from fairway.core.metrics import Metrics

__all__ = ["serve_metrics"]

log = logging.getLogger("fairway.metrics")


def serve_metrics(metrics: Metrics, port: int) -> None:
    """Serve metrics from a thread until the process ends.

    Raises:
        CommandError: the port cannot be had.
    """
    try:
        server, _ = start_http_server(port, "127.0.0.1", metrics.registry)
    except OSError as error:
        raise CommandError(f"--metrics-port {port}: {error.strerror}") from error
    log.info("metrics at http://127.0.0.1:%d/metrics", server.server_port)
