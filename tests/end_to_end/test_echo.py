"""The echo site does what its README and DESIGN say, line by line."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.processes import Process, free_port, run_manage, wait_until
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
MEBIBYTE = 1024 * 1024
PATIENCE = 30.0


class Echo:
    """A running echo site."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False
        )

    def socket(
        self, path: str = "/echo/", *, offer: list[str] | None = None
    ) -> ClientConnection:
        """Return an open WebSocket."""
        return connect(
            f"ws://127.0.0.1:{self.port}{path}",
            subprotocols=[Subprotocol(name) for name in offer] if offer else None,
            open_timeout=PATIENCE,
            max_size=None,
            proxy=None,
        )


def _part(*arguments: str, **environment: str) -> AbstractContextManager[Process]:
    # Tests of this process may have chosen settings of their own.
    environment["DJANGO_SETTINGS_MODULE"] = "echo.settings"
    return run_manage("examples/echo", *arguments, environment=environment)


def _serve(**environment: str) -> Iterator[Echo]:
    port = free_port()
    arguments = ("runserver", "--noreload", f"127.0.0.1:{port}")
    with _part(*arguments, **environment) as process:
        process.wait_for_port(port)
        echo = Echo(port)
        with echo.http:
            yield echo


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    yield from _serve()


@pytest.fixture(scope="module")
def wide_echo() -> Iterator[Echo]:
    yield from _serve(FAIRWAY_MAX_MESSAGE=str(16 * MEBIBYTE))


def test_hello_is_a_plain_view(echo: Echo) -> None:
    response = echo.http.get("/hello/")

    assert (response.status_code, response.text) == (200, "Hello, world")


@pytest.mark.parametrize("size", [0, 1, 1000, 3 * MEBIBYTE])
def test_a_posted_body_comes_back_without_a_csrf_token(echo: Echo, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)

    response = echo.http.post("/echo/", content=body[:size])

    assert (response.status_code, response.content) == (200, body[:size])


@pytest.mark.parametrize(
    "data", ["text", "", "snö ☃ 🚢", b"bytes", b"", b"\x00\xff\xfe", "x" * 200_000]
)
def test_a_websocket_echoes_exactly(echo: Echo, data: str | bytes) -> None:
    with echo.socket() as socket:
        socket.send(data)

        assert socket.recv(PATIENCE) == data


def test_the_long_poll_of_the_readme_is_what_curl_says(echo: Echo) -> None:
    readme = (ROOT / "examples/echo/README.md").read_text()
    shown = readme.split("with curl")[1].split("```")[1].splitlines()
    token = ""
    for line, answer in pairwise(shown):
        if not line.startswith("$ curl") or answer.startswith("```"):
            continue
        command = line[2:].replace("8000", str(echo.port)).replace("$TOKEN", token)
        said = subprocess.run(
            [*shlex.split(command), "-s"], capture_output=True, timeout=60, check=True
        ).stdout.decode()
        if '"token"' in said:
            token = json.loads(said)["token"]
        assert said.replace(token or "-", "...") == answer


def test_a_text_to_the_group_reaches_a_stream_of_events(echo: Echo) -> None:
    kind = {"content-type": "application/json"}
    begun = echo.http.post("/poll/group/", headers=kind)
    fields = {
        "fairway-token": begun.json()["token"],
        "accept": "text/event-stream",
    }
    with echo.http.stream("GET", "/poll/", headers=fields) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ":"
        httpx.post(f"http://127.0.0.1:{echo.port}/group/", content=b"hello")

        assert [next(lines) for _ in range(3)] == ["", "id: 1", 'data: "hello"']


def test_messages_come_back_in_order(echo: Echo) -> None:
    sent = [str(n) for n in range(200)]

    with echo.socket() as socket:
        for text in sent:
            socket.send(text)
        received = [socket.recv(PATIENCE) for _ in sent]

    assert received == sent


@pytest.mark.parametrize("path", ["/echo/", "/echo/deeper/down", "/echo/?a=1&b=%20"])
def test_any_path_suffix_and_query_is_welcome(echo: Echo, path: str) -> None:
    with echo.socket(path) as socket:
        socket.send("hello")

        assert socket.recv(PATIENCE) == "hello"


def test_the_first_offered_subprotocol_is_chosen(echo: Echo) -> None:
    with echo.socket(offer=["zebra.v1", "ant"]) as socket:
        assert socket.subprotocol == "zebra.v1"


def test_without_an_offer_there_is_no_subprotocol(echo: Echo) -> None:
    with echo.socket() as socket:
        assert socket.subprotocol is None


def test_a_message_above_a_mebibyte_closes_with_1009(echo: Echo) -> None:
    with echo.socket() as socket:
        socket.send(b"x" * (MEBIBYTE + 1))

        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv(PATIENCE)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_a_message_of_a_mebibyte_comes_back(echo: Echo) -> None:
    with echo.socket() as socket:
        socket.send(b"x" * MEBIBYTE)

        assert socket.recv(PATIENCE) == b"x" * MEBIBYTE


def test_the_environment_raises_the_message_limit(wide_echo: Echo) -> None:
    message = b"sixteen " * (2 * MEBIBYTE)

    with wide_echo.socket() as socket:
        socket.send(message)

        assert socket.recv(PATIENCE) == message


def test_a_post_reaches_everybody_in_the_group(echo: Echo) -> None:
    with echo.socket("/group/") as one, echo.socket("/group/") as other:
        response = echo.http.post("/group/", content="tide's in")

        assert response.status_code == 200
        assert (one.recv(PATIENCE), other.recv(PATIENCE)) == ("tide's in",) * 2


def test_who_is_not_in_the_group_hears_nothing_of_it(echo: Echo) -> None:
    with echo.socket("/group/") as member, echo.socket() as stranger:
        echo.http.post("/group/", content="for members")
        member.recv(PATIENCE)
        stranger.send("own")

        assert stranger.recv(PATIENCE) == "own"


def test_waiting_requests_are_answered_when_somebody_releases_them(echo: Echo) -> None:
    # More than the worker has threads: nobody may be waiting in one.
    waiting = 12
    limits = httpx.Limits(max_connections=waiting + 1)
    with (
        httpx.Client(
            base_url=echo.http.base_url,
            timeout=PATIENCE,
            limits=limits,
            trust_env=False,
        ) as client,
        ThreadPoolExecutor(waiting) as pool,
    ):
        answers = [pool.submit(client.get, "/wait/") for _ in range(waiting)]

        def released() -> bool:
            echo.http.post("/wait/")
            return all(answer.done() for answer in answers)

        assert echo.http.get("/hello/").status_code == 200
        wait_until(released, PATIENCE, "the release")

    assert {answer.result().text for answer in answers} == {"released\n"}


def test_a_view_sleeps_as_long_as_it_is_asked_to(echo: Echo) -> None:
    began = time.monotonic()

    response = echo.http.get("/slow/", params={"seconds": "0.3"})

    assert response.text == "slept 0.3 s\n"
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan"])
def test_a_view_refuses_what_is_no_time_to_sleep(echo: Echo, seconds: str) -> None:
    response = echo.http.get("/slow/", params={"seconds": seconds})

    assert response.status_code == 400


def test_a_slow_message_does_not_delay_another_client(echo: Echo) -> None:
    with echo.socket() as slow, echo.socket() as quick:
        slow.send("slow 2")
        quick.send("quick")

        assert quick.recv(PATIENCE) == "quick"
        with pytest.raises(TimeoutError):
            slow.recv(0)
        assert slow.recv(PATIENCE) == "slow 2"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_hosts_of_this_machine_are_allowed(echo: Echo, host: str) -> None:
    assert echo.http.get("/hello/", headers={"Host": host}).status_code == 200


def test_other_hosts_are_refused(echo: Echo) -> None:
    response = echo.http.get("/hello/", headers={"Host": "example.com"})

    assert response.status_code == 400


def test_it_runs_in_parts_over_a_layer_that_they_share(
    redis_server: RedisServer,
) -> None:
    port = free_port()
    url = redis_server.url

    with ExitStack() as parts:
        interface = _part(
            *("runinterface", "--port", str(port)),
            FAIRWAY_LAYER=url,
            FAIRWAY_UDP_PORT=str(port),
        )
        parts.enter_context(interface).wait_for_port(port)
        parts.enter_context(_part("runworker", FAIRWAY_LAYER=url))
        echo = Echo(port)
        with echo.http, echo.socket() as websocket:
            websocket.send("over the bus")

            assert websocket.recv(PATIENCE) == "over the bus"
            assert echo.http.get("/hello/").text == "Hello, world"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.settimeout(PATIENCE)
            sender.connect(("127.0.0.1", port))
            for datagram in (b"over UDP", b"", b"\xff" * 65_507):
                sender.send(datagram)
                assert sender.recv(70_000) == datagram
