"""What happens to a thread's database connections around consumers."""

from __future__ import annotations

import threading
from typing import Any

from django.db import connections

from fairway.core.worker import databases


def test_django_looks_at_the_connections_of_a_thread_that_connected() -> None:
    looked: list[bool] = []

    def consume() -> None:
        connection: Any = connections["default"]
        connection.ensure_connection()
        # Django takes it back when it looks: what it knows is old by then.
        connection.health_check_done = True
        databases.close_old()
        looked.append(not connection.health_check_done)
        databases.leave()

    thread = threading.Thread(target=consume)
    thread.start()
    thread.join(20)

    assert looked == [True]
