"""An interface server, and its metrics where the settings want them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fairway.core.assembly import Assembly
from fairway.core.metrics import Part
from fairway.core.settings import Settings, metrics_address
from fairway.interfaces.server import InterfaceServer, run
from fairway.management.metrics import MetricsServer

__all__ = ["serve_interface"]


def serve_interface(
    assembly: Assembly,
    settings: Settings,
    *,
    beside: Sequence[Part] = (),
    signals: bool = True,
    started: Callable[[], None] = lambda: None,
) -> None:
    """Serve all protocols until told to stop.

    Args:
        beside: what else runs in the process and adds to its metrics.
        signals: whether to listen to signals; only the main thread can.
        started: called once everything listens.

    Raises:
        FairwayError: a protocol cannot start.
        CommandError: the address for metrics cannot be had.
    """
    servers: list[InterfaceServer] = []
    metrics = _metrics_server(settings)

    def make() -> InterfaceServer:
        server = InterfaceServer(
            assembly.layer, assembly.plugins, settings, assembly.site, beside=beside
        )
        servers.append(server)
        return server

    def ready() -> None:
        if metrics is not None:
            metrics.start(servers[0].metrics())
        started()

    try:
        run(make, signals=signals, started=ready)
    finally:
        if metrics is not None:
            metrics.close()


def _metrics_server(settings: Settings) -> MetricsServer | None:
    if settings.metrics_bind is None:
        return None
    host, port = metrics_address(settings.metrics_bind)
    return MetricsServer(host, port, option='FAIRWAY["METRICS_BIND"]')
