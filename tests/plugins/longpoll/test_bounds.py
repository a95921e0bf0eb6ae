"""What a conversation may cost, and that it does not fail by its own bounds."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fairway.plugins.longpoll import tokens

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
    serve_polls: Serve,
) -> None:
    served = serve_polls()

    def fail(session: object) -> str:
        raise ZeroDivisionError

    served.protocol().token = fail

    assert served.poller().begin().status_code == 500


@pytest.mark.standard
def test_a_server_without_room_for_its_door_says_so(serve_polls: Serve) -> None:
    served = serve_polls(
        lambda *_: None, handshake_timeout=1.0, plugin_limits={"peers": 1}
    )
    undecided, foreign = served.poller(), served.poller()
    key = served.protocol().host.site.key
    foreign.token = tokens.issue(tokens.Address("else!where", "1"), key)
    with ThreadPoolExecutor(1) as pool:
        begun = pool.submit(undecided.begin)
        served.wait_for("connect")

        assert foreign.send("a").status_code == 503
        assert foreign.poll().status_code == 503

        assert begun.result(20).status_code == 504
