"""A thread's database connections: what Django does with them around each request.

Asking Django costs more than many a consumer does, so a thread that never connected
does not ask.
"""

from __future__ import annotations

import threading
from typing import Any

from django.db import close_old_connections, connections
from django.db.backends.signals import connection_created

__all__ = ["close_old", "leave"]


class _Thread(threading.local):
    connected = False


_thread = _Thread()


def _connected(**_: Any) -> None:
    # Sent in the thread that connects.
    _thread.connected = True


connection_created.connect(_connected)


def close_old() -> None:
    """Close connections of this thread that are broken or too old."""
    if _thread.connected:
        close_old_connections()


def leave() -> None:
    """Close all connections of this thread, which ends."""
    connections.close_all()
