"""What a consumer logs says whose message it is about."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async

from fairway.core.bus.record import Kind
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import route
from fairway.core.plugin.loading import Plugins
from fairway.core.settings import Settings
from fairway.logs import context
from tests.core.worker.conftest import Host, MakeWorker

log = logging.getLogger("site")


@pytest.fixture
def lines() -> Iterator[dict[str, io.StringIO]]:
    """Return the lines of the logger `site` by kind, configured as the docs say."""
    kinds = {
        "keys": "fairway.logs.KeyValueFormatter",
        "json": "fairway.logs.JsonFormatter",
    }
    streams = {kind: io.StringIO() for kind in kinds}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"context": {"()": "fairway.logs.ContextFilter"}},
            "formatters": {kind: {"()": path} for kind, path in kinds.items()},
            "handlers": {
                kind: {
                    "class": "logging.StreamHandler",
                    "stream": stream,
                    "filters": ["context"],
                    "formatter": kind,
                }
                for kind, stream in streams.items()
            },
            "loggers": {"site": {"handlers": list(streams), "level": "INFO"}},
        }
    )
    yield streams
    log.handlers.clear()


def consume(message: Message) -> None:
    log.info("in a consumer\nof two lines")


async def consume_async(message: Message) -> None:
    log.info("in a task")
    await sync_to_async(log.info)("in its thread")


def told(stream: io.StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_consumers_line_carries_channel_and_peer(
    make_worker: MakeWorker, host: Host, lines: dict[str, io.StringIO]
) -> None:
    make_worker([route("websocket.receive", consume)])
    host.emit("ada", {"order": 0, "text": "x"})
    host.wait_for(Kind.DONE)

    [line] = told(lines["json"])
    assert line["peer"] == "websocket:ada"
    assert line["channel"] == "websocket.receive"
    assert line["message"] == "in a consumer\nof two lines"
    [plain] = lines["keys"].getvalue().splitlines()
    assert " peer=websocket:ada " in plain
    assert plain.endswith(r'message="in a consumer\nof two lines"')
    assert context() == {}


def test_so_do_the_lines_of_an_async_consumer_and_its_threads(
    make_worker: MakeWorker, host: Host, lines: dict[str, io.StringIO]
) -> None:
    make_worker([route("websocket.receive", consume_async)])
    host.emit("ada", {"order": 0, "text": "x"})
    host.wait_for(Kind.DONE)

    found = [(line["message"], line["peer"]) for line in told(lines["json"])]
    assert found == [
        ("in a task", "websocket:ada"),
        ("in its thread", "websocket:ada"),
    ]


def test_fairways_own_line_about_a_failure_carries_them_too(
    make_worker: MakeWorker, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: Message) -> None:
        raise ValueError

    seen: list[dict[str, str]] = []

    class Watching(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            seen.append(context())
            return True

    logger, watching = logging.getLogger("fairway.worker"), Watching()
    make_worker([route("websocket.receive", fail)])
    logger.addFilter(watching)
    host.emit("ada", {"order": 0, "text": "x"})
    host.wait_for(Kind.DONE)
    logger.removeFilter(watching)

    assert "websocket:ada" in [found.get("peer") for found in seen]


def test_a_request_has_an_id(lines: dict[str, io.StringIO]) -> None:
    from fairway.core.logs import Consumed, consumed

    content = {"protocol": "http", "peer": "http:0a1b", "path": "/x"}
    token = consumed.set(Consumed("http.request", content))
    log.info("in a view")
    log.info("another's", extra={"peer": "sms:+1"})
    consumed.reset(token)

    first, second = told(lines["json"])
    assert (first["request_id"], first["path"]) == ("0a1b", "/x")
    assert second["peer"] == "sms:+1"
    assert "request_id" not in second


def test_a_proxys_name_of_a_request_is_its_id() -> None:
    from fairway.core.logs import Consumed, consumed

    content = {"protocol": "http", "peer": "http:0a1b", "request_id": "edge-7"}
    token = consumed.set(Consumed("http.request", content))
    try:
        assert context()["request_id"] == "edge-7"
    finally:
        consumed.reset(token)


@pytest.fixture
def secretive(plugins: Plugins) -> Iterator[None]:
    """Enable a plugin whose section holds a secret, after those of the worker."""
    section = {"token": "s3cret"}
    Plugins(Settings(plugins={"tests.core.protocols.secretive": section}))
    yield
    Plugins(Settings(plugins={}))


def test_a_plugins_secret_shows_in_no_line_about_a_failed_consumer(
    secretive: None,
    make_worker: MakeWorker,
    host: Host,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(message: Message) -> None:
        raise ValueError("401 for token s3cret")

    make_worker([route("websocket.receive", fail)])
    host.emit("ada", {"order": 0, "text": "x"})
    host.wait_for(Kind.DONE)

    assert "401 for token ***" in caplog.text
    assert "s3cret" not in caplog.text
