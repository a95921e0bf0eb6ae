"""What the bus loses between two servers costs a request, never a message."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.loop import wait_until

from .conftest import Served
from .poller import Poller

Serve = Callable[..., Served]


@pytest.fixture
def two(serve_polls: Serve) -> Served:
    """Return two servers of one site."""
    return serve_polls(servers=2)


@pytest.fixture
def crossing(two: Served) -> Poller:
    """Return a conversation of the first server, whose requests go to the second."""
    first, second = two.poller(server=0), two.poller(server=1)
    first.begin()
    second.token = first.token
    return second


def lose(served: Served, which: Callable[[dict[str, Any]], bool]) -> list[Any]:
    """Lose the next forward of a kind to the second server; return what was lost."""
    protocol = served.protocol(1)
    lost: list[Any] = []
    forwarded = protocol.forwarded

    def lossy(peer: Any, content: dict[str, Any]) -> None:
        if not lost and which(content):
            lost.append(content)
        else:
            forwarded(peer, content)

    protocol.forwarded = lossy
    return lost


def test_a_stream_that_misses_an_event_ends_and_resumes(
    two: Served, crossing: Poller
) -> None:
    lost = lose(two, lambda content: b"one" in content.get("data", b""))
    with crossing.stream() as lines:
        assert next(lines) == ":"
        two.broadcast("all", text="one")
        wait_until(lambda: len(lost) == 1)
        two.broadcast("all", text="two")
        with pytest.raises(httpx.RemoteProtocolError):
            next(line for line in lines if line)

    seen: list[str] = []
    with crossing.stream(last_event_id="0") as lines:
        while (line := next(lines)) != 'data: "two"':
            seen.append(line)

    assert 'data: "one"' in seen


def test_an_answer_that_misses_a_piece_is_asked_for_again(
    two: Served, crossing: Poller
) -> None:
    text = "x" * 600_000
    lost = lose(two, lambda content: "body" in content)
    two.reply(two.events("connect")[0], text=text)

    assert crossing.poll().status_code == 502
    assert len(lost) == 1
    assert crossing.hear_all(1) == [text]


def test_a_server_that_stops_does_not_answer_for_what_another_one_takes(
    two: Served, crossing: Poller
) -> None:
    lost = lose(two, lambda content: "status" in content)
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(crossing.send, "a", first=1)
        wait_until(lambda: len(lost) == 1)
        two.loop.run(two.servers[1].stop(0.2))

        assert sent.result(20).status_code == 503

    assert [one["text"] for one in two.wait_for("receive")] == ["a"]
