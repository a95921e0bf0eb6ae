"""An interface server and a worker in one process: the development server."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import msgspec

from fairway.core.assembly import Assembly
from fairway.core.worker import Worker
from fairway.core.worker.figures import part_of
from fairway.management.interface import serve_interface
from fairway.plugins.http.static import serve_static_files

__all__ = ["serve"]

_GRACE = 1.0
"""Seconds; a developer who stops or reloads the server does not want to wait."""

_LONG_INTERVAL = 0.001
"""Seconds; a consumer that computes for long makes the loop late by a few of these.
Short ones are not interrupted: that would cost more than they do."""


def serve(
    assembly: Assembly,
    *,
    threads: int,
    static: bool = False,
    started: Callable[[], None] = lambda: None,
) -> None:
    """Serve until interrupted.

    Args:
        threads: how many run consumers.
        static: whether http serves static files itself.
        started: called once everything listens.

    Raises:
        FairwayError: a route is wrong, or a protocol cannot start.
    """
    settings = msgspec.structs.replace(assembly.settings, grace=_GRACE)
    worker = Worker(
        assembly.layer,
        assembly.router,
        assembly.plugins,
        threads=threads,
        long_interval=_LONG_INTERVAL,
    )
    serve_static_files(static)
    worker.start(failed=_end_process)
    try:
        serve_interface(
            assembly,
            settings,
            beside=[part_of(worker)],
            signals=threading.current_thread() is threading.main_thread(),
            started=started,
        )
    finally:
        worker.stop(_GRACE)
        worker.join()
        assembly.layer.close()


def _end_process(error: BaseException) -> None:
    """Stop serving: without its worker the process would only look alive."""
    os.kill(os.getpid(), signal.SIGTERM)
