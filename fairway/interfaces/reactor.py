"""Makes the event loop, and Twisted's reactor on top of it, once per process."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

__all__ = ["install_reactor", "new_loop"]


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a loop of uvloop, or of asyncio where uvloop is not installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def install_reactor(loop: asyncio.AbstractEventLoop) -> Any:
    """Return Twisted's reactor, running on `loop`; call it in the loop's thread.

    Twisted has one reactor per process, so the first loop keeps it.

    Raises:
        RuntimeError: the process has a reactor that does not run on `loop`.
    """
    if "twisted.internet.reactor" not in sys.modules:
        from twisted.internet import asyncioreactor

        asyncioreactor.install(loop)  # type: ignore[no-untyped-call]
    from twisted.internet import reactor

    if getattr(reactor, "_asyncioEventloop", None) is not loop:
        raise RuntimeError(
            f"Twisted runs {type(reactor).__name__} in this process already; "
            "nothing may import twisted.internet.reactor before fairway installs it"
        )
    # Nobody calls reactor.run(): the loop runs, and this is the part of run() that
    # starts what waits for the reactor, such as Twisted's pool of threads.
    if not getattr(reactor, "_started", True):
        reactor.startRunning(installSignalHandlers=False)  # type: ignore[attr-defined]
    return reactor
