"""Commands say what is installed, and what to do next when something is wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings

from fairway import checks
from fairway.management.logs import ACCESS, EventFormatter, log_to_console


def _print(*arguments: str, **fairway: Any) -> str:
    out = StringIO()
    with override_settings(FAIRWAY=fairway):
        call_command(*arguments, stdout=out, no_color=True)
    return out.getvalue()


def test_protocols_shows_events_and_reply_keys() -> None:
    text = _print("fairway", "protocols", PLUGINS={"http": {}, "websocket": {}})

    for word in ("http.request", "websocket.receive", "accept: bool"):
        assert word in text


def test_protocols_shows_one_table_of_all_limits() -> None:
    text = _print(
        *("fairway", "protocols"),
        PLUGINS={"http": {}, "websocket": {"limits": {"peers": 7}}},
        LIMITS={"held_events": 5},
    )

    titles, *rows = text.partition("\nlimits\n")[2].splitlines()
    assert titles.split() == ["http", "websocket"]
    assert [row.split() for row in rows] == [
        ["peers", "50000", "7"],
        ["peers_per_address", "2000", "2000"],
        ["handshakes_per_second", "200.0", "200.0"],
        ["messages_per_second", "1000.0", "1000.0"],
        ["unsent_bytes", "1048576", "1048576"],
        ["held_events", "5", "5"],
        ["held_bytes", "262144", "262144"],
        ["max_content", "1048576", "1048576"],
        ["max_request_line", "8192", "-"],
        ["max_header_bytes", "65536", "-"],
        ["max_header_fields", "100", "-"],
        ["max_body", "536870912", "-"],
        ["max_pipelined", "8", "-"],
        ["max_message", "-", "1048576"],
    ]


def test_plugins_shows_what_is_installed_and_what_is_enabled() -> None:
    lines = _print("fairway", "plugins", PLUGINS={"http": {}}).splitlines()

    states = {line.split()[0]: line.split()[1] for line in lines[1:]}
    assert states["http"] == "enabled"
    assert states["websocket"] == "installed"


def test_plugins_shows_why_one_failed() -> None:
    text = _print(
        "fairway",
        "plugins",
        PLUGINS={"http": {}, "no.such.plugin": {}},
        STRICT_PLUGINS=False,
    )

    assert "failed: " in text


def test_routes_shows_the_default_route_to_django() -> None:
    assert "http.request" in _print("fairway", "routes", PLUGINS={"http": {}})


@pytest.mark.parametrize("command", ["runworker", "runinterface"])
def test_a_process_of_its_own_refuses_the_memory_layer(command: str) -> None:
    with (
        override_settings(FAIRWAY={"LAYER": "memory://"}),
        pytest.raises(CommandError, match='LAYER"\\] to a layer between processes'),
    ):
        call_command(command)


def test_a_mistyped_setting_stops_a_command_with_its_nearest_name() -> None:
    with (
        override_settings(FAIRWAY={"PLUGINS": {"websockt": {}}}),
        pytest.raises(ImproperlyConfigured, match="did you mean 'websocket'"),
    ):
        call_command("runworker")


REDIS = "redis://127.0.0.1:1/0"
MISTAKES: list[tuple[list[str], dict[str, Any], str]] = [
    (["runworker"], {"LAYER": REDIS, "ROUTING": "no.such.routes"}, "ROUTING"),
    (["runworker"], {"LAYER": "rediz://127.0.0.1/0"}, "LAYER"),
    (["runworker", "--only", "sms.*"], {"LAYER": REDIS}, "sms"),
    (["runinterface"], {"LAYER": "redis://127.0.0.1:port/0"}, "LAYER"),
    (["runserver", "--noreload"], {"ROUTING": "no.such.routes"}, "ROUTING"),
    (["fairway", "routes"], {"ROUTING": "no.such.routes"}, "ROUTING"),
]


@pytest.mark.parametrize(
    ("command", "given", "named"),
    [pytest.param(*row, id=" ".join(row[0])) for row in MISTAKES],
)
def test_a_mistake_found_at_the_start_is_told_in_one_message(
    command: list[str], given: dict[str, Any], named: str
) -> None:
    with (
        override_settings(FAIRWAY={"PLUGINS": {"http": {}}, **given}),
        pytest.raises(CommandError, match=named),
    ):
        call_command(*command)


def test_the_check_finds_an_app_whose_runserver_would_win() -> None:
    order = ["django.contrib.staticfiles", "fairway"]
    with override_settings(FAIRWAY={}, INSTALLED_APPS=order):
        found = checks.check_site(None)

    assert [one.id for one in found] == ["fairway.E001"]
    assert found[0].hint == 'Put "fairway" first.'


def test_the_check_finds_a_wrong_setting() -> None:
    with override_settings(FAIRWAY={"LIMITS": {"peer": 5}}):
        found = checks.check_site(None)

    assert [one.id for one in found] == ["fairway.E002"]
    assert "Did you mean 'peers'?" in found[0].msg


def test_a_log_line_of_an_event_cannot_move_the_cursor() -> None:
    import logging

    record = logging.makeLogRecord(
        {"protocol": "http", "what": "GET", "path": "/\x1b[2J\n", "client": "x"}
    )

    line = EventFormatter().format(record)

    assert "\\x1b[2J\\n" in line


def test_a_log_line_about_a_peer_says_what_it_has_to_say() -> None:
    import logging

    record = logging.makeLogRecord(
        {"msg": "dropped", "protocol": "http", "peer": "http:1", "client": "x"}
    )

    assert "dropped" in EventFormatter().format(record)


@contextmanager
def _untouched_logs() -> Iterator[logging.Logger]:
    fairway, access = logging.getLogger("fairway"), logging.getLogger(ACCESS)
    before = fairway.handlers, fairway.level, fairway.propagate, access.level
    fairway.handlers = []
    fairway.setLevel(logging.NOTSET)
    access.setLevel(logging.NOTSET)
    try:
        yield access
    finally:
        fairway.handlers, fairway.propagate = before[0], before[2]
        fairway.setLevel(before[1])
        access.setLevel(before[3])


@pytest.mark.parametrize(
    ("verbosity", "access", "printed"), [(1, 1, True), (1, 2, False), (2, 2, True)]
)
def test_lines_for_events_are_printed_from_a_verbosity_on(
    verbosity: int, access: int, printed: bool
) -> None:
    with _untouched_logs() as lines:
        log_to_console(verbosity, access=access)

        assert lines.isEnabledFor(logging.INFO) is printed


def test_a_site_that_asks_for_lines_gets_them() -> None:
    with _untouched_logs() as lines:
        lines.setLevel(logging.INFO)
        log_to_console(1, access=2)

        assert lines.isEnabledFor(logging.INFO)
