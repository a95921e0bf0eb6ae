"""What a conversation may cost, and that it does not fail by its own bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Served

Serve = Callable[..., Served]


def test_who_has_no_token_may_not_send_much(serve_polls: Serve) -> None:
    served = serve_polls()

    assert served.poller().post(b" " * 2_000).status_code == 413
    assert served.poller().post(b"{}").status_code == 200


@pytest.mark.parametrize(
    "bounds", [{"max_unread": 10}, {"limits": {"unsent_bytes": 1_000}}]
)
def test_what_a_stream_keeps_to_resume_leaves_room_for_what_is_new(
    serve_polls: Serve, bounds: dict[str, Any]
) -> None:
    served = serve_polls(**bounds)
    poller = served.poller()
    poller.begin()
    text = "x" * 200

    with poller.stream() as lines:
        assert next(lines) == ":"
        for number in range(1, 31):
            served.broadcast("all", text=text)
            while (line := next(lines)) != f"id: {number}":
                assert line != "event: close"


def test_a_conversation_that_fails_answers_the_request_that_began_it(
    serve_polls: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve_polls()

    def fail(session: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(served.protocol(), "token", fail)

    assert served.poller().begin().status_code == 500
