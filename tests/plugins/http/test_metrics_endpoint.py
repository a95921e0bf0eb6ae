"""`/-/metrics` on a running interface server: with the token, and not without."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fairway.core.content import Content
from fairway.core.exceptions import ConfigurationError
from fairway.core.settings import read_settings
from fairway.plugins.http.transport_twisted import HttpProtocol
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
    values = {
        (s.name, *s.labels.values()): s.value for f in families for s in f.samples
    }
    assert answer.status == 200
    assert values["fairway_events_total", "http.request", "http"] == 1
    assert values["fairway_replies_total", "http"] == 1
    assert values["fairway_held_events", "http"] == 0
    assert values["fairway_http_spool_files",] == 0
    assert values["fairway_interface_ready",] == 1
    assert values["fairway_claims_total", "http", "won"] == 0


class Failing(HttpProtocol):
    """Cannot tell its figures."""

    def figures(self) -> Mapping[str, float]:
        raise ValueError("no figures")


def test_a_plugin_that_fails_to_tell_its_figures_costs_only_them(
    site: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    site.http.__class__ = Failing

    answer = get(site, "/-/metrics", f"Authorization: Bearer {TOKEN}")

    assert answer.status == 200
    assert b"fairway_http_" not in answer.body
    assert b"fairway_interface_ready 1.0" in answer.body
    assert "protocol http failed to tell its figures" in caplog.text


def test_a_scrape_that_fails_says_so_and_the_server_goes_on(
    site: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> dict[tuple[str, str], int]:
        raise ValueError("broken")

    site.layer.drops.counts = broken  # type: ignore[method-assign]

    answer = get(site, "/-/metrics", f"Authorization: Bearer {TOKEN}")

    assert (answer.status, answer.body) == (500, b"the metrics could not be read\n")
    assert "ValueError: broken" in caplog.text
    assert get(site, "/").body == b"hello"


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
