"""The operator's endpoints, asked through the HTTP contract of mounts."""

from collections.abc import Iterable
from typing import Any

import pytest

from fairway.core.settings import Settings
from fairway.interfaces.status import Status


class Answer:
    """Keeps what a mount responds."""

    def __init__(self) -> None:
        self.given: list[tuple[int, bytes]] = []

    def respond(
        self,
        status: int,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
    ) -> None:
        assert (b"content-type", b"text/plain; charset=utf-8") in list(headers)
        self.given.append((status, body))


def no_metrics(use: object) -> None:
    """Nobody asks for them here."""


def ask(prefix: str, obstacle: str | None) -> list[tuple[int, bytes]]:
    mounts = Status(lambda: obstacle, no_metrics).fairway_mounts(Settings())
    mount = next(mount for mount in mounts if mount.prefix == prefix)
    assert mount.on == "http"
    assert mount.methods == ("GET", "HEAD")
    answer: Any = Answer()
    mount.open(None, answer)
    return list(answer.given)


@pytest.mark.parametrize("obstacle", [None, "stopping"])
def test_whoever_answers_is_alive(obstacle: str | None) -> None:
    assert ask("/-/live", obstacle) == [(200, b"live\n")]


def test_ready_says_yes() -> None:
    assert ask("/-/ready", None) == [(200, b"ready\n")]


def test_not_ready_says_why() -> None:
    assert ask("/-/ready", "stopping") == [(503, b"stopping\n")]
