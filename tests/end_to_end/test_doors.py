"""A plugin of 40 lines, given by its dotted path, stands beside WebSocket."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from websockets.sync.client import connect

from tests.support.processes import (
    Process,
    free_port,
    run_manage,
    wait_until,
)

pytestmark = [pytest.mark.standard, pytest.mark.timeout(90)]


class Doors:
    """The ports of a running site."""

    def __init__(self, process: Process, web: int, lines: int) -> None:
        self.process = process
        self.web = web
        self.lines = lines


class Line:
    """A client that speaks lines over TCP."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._file = self._socket.makefile("rw", encoding="utf-8", newline="\n")

    def say(self, text: str) -> None:
        self._file.write(text + "\n")
        self._file.flush()

    def hear(self) -> str:
        return self._file.readline().rstrip("\r\n")

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture
def doors() -> Iterator[Doors]:
    web, lines = free_port(), free_port()
    arguments = ("runserver", "--noreload", f"127.0.0.1:{web}")
    environment = {"LINES_PORT": str(lines)}
    with run_manage(
        "tests/end_to_end/doors", *arguments, environment=environment
    ) as process:
        # A probe of the port would be a guest in the room.
        wait_until(lambda: "Quit with" in process.output(), what="the start")
        yield Doors(process, web, lines)


def test_one_conversation_serves_websocket_and_lines(doors: Doors) -> None:
    with (
        Line(doors.lines) as line,
        connect(f"ws://127.0.0.1:{doors.web}/", proxy=None) as page,
    ):
        assert line.hear() == "welcome over lines"
        assert page.recv(20) == "welcome over websocket"

        line.say("hello")
        assert (line.hear(), page.recv(20)) == ("lines 1: hello",) * 2
        page.send("ahoy")
        assert (line.hear(), page.recv(20)) == ("websocket 1: ahoy",) * 2
        line.say("again")
        assert (line.hear(), page.recv(20)) == ("lines 2: again",) * 2

        line.say("bye")
        assert line.hear() == ""
        assert page.recv(20) == "lines left"


def test_runserver_prints_a_line_for_each_event_of_any_protocol(doors: Doors) -> None:
    with Line(doors.lines) as line:
        line.hear()
        line.say("hello")
        line.hear()

    wait_until(lambda: "DISCONNECT" in doors.process.output(), what="the last line")

    output = doors.process.output()
    assert "LINES CONNECT" in output
    assert "LINES RECEIVE" in output
