"""`/-/metrics` on a running interface server: with the token, and not without."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fairway.core.content import Content
from fairway.core.exceptions import ConfigurationError
from fairway.core.settings import read_settings
from tests.plugins.http.serving import Client, Mounted, Response, Serving
from tests.support.loop import LoopThread

TOKEN = "a-token-of-operators"


def hello(serving: Serving, event: Content) -> None:
    serving.reply(event, text="hello")


@contextmanager
def serving(loop: LoopThread, **settings: Any) -> Iterator[Serving]:
    http = {"bind": ["tcp:0:interface=127.0.0.1"]}
    given = {"PLUGINS": {"http": http}, **settings}
    running = Serving(loop, {"/": hello}, given, Mounted(), capacity=100)
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def site(loop_thread: LoopThread) -> Iterator[Serving]:
    with serving(loop_thread, METRICS_TOKEN=TOKEN) as running:
        yield running


def get(site: Serving, path: str, *lines: str) -> Response:
    with Client(site) as client:
        client.get(path, *lines)
        return client.response()


def test_the_token_opens_the_metrics(site: Serving) -> None:
    get(site, "/")
    answer = get(site, "/-/metrics", f"Authorization: Bearer {TOKEN}")

    families = text_string_to_metric_families(answer.body.decode())
    values = {s.name: s.value for f in families for s in f.samples}
    assert answer.status == 200
    assert values["fairway_events_total"] == 1
    assert values["fairway_replies_total"] == 1
    assert values["fairway_held_events"] == 0


@pytest.mark.parametrize(
    "lines",
    [(), ("Authorization: Bearer a-token",), (f"Authorization: Basic {TOKEN}",)],
)
def test_a_wrong_token_is_refused(site: Serving, lines: tuple[str, ...]) -> None:
    answer = get(site, "/-/metrics", *lines)

    assert answer.status == 403
    assert b"fairway_" not in answer.body


def test_without_the_setting_there_is_no_such_place(loop_thread: LoopThread) -> None:
    with serving(loop_thread) as site:
        answer = get(site, "/-/metrics", "Authorization: Bearer ")

    assert answer.body == b"hello"


def test_an_empty_token_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"METRICS_TOKEN.*must not be empty"):
        read_settings({"METRICS_TOKEN": ""})
