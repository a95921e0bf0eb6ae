"""Whatever comes in is answered clearly, and the server goes on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.support.processes import Process, free_port, run_manage, wait_until
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

ECHO = "examples/echo"


class Echo:
    """The echo site in one process."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def raw(self, data: bytes) -> bytes:
        """Send bytes and return everything up to the end of the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            client.sendall(data)
            answer = b""
            while part := client.recv(65_536):
                answer += part
        return answer

    def serves_on(self) -> bool:
        """Return whether it answers both kinds of clients, and runs."""
        hello = httpx.get(f"{self.url}/hello/").text
        with connect(f"ws://127.0.0.1:{self.port}/echo/", proxy=None) as client:
            client.send("still there?")
            said = client.recv(20)
        return (hello, said) == ("Hello, world", "still there?") and (
            self.process.child.poll() is None
        )


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    port = free_port()
    with run_manage(ECHO, "runserver", "--noreload", f"127.0.0.1:{port}") as process:
        process.wait_for_port(port)
        yield Echo(process, port)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"what is this\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /hello/ HTTP/1.1\r\n\r\n", 400),
        (b"GET /hello/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /hello/ HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999\r\n\r\n", 413),
        (
            (
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
    ],
)
def test_a_malformed_request_is_answered(
    echo: Echo, request_: bytes, status: int
) -> None:
    answer = echo.raw(request_)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert echo.serves_on()


def test_a_host_that_the_site_does_not_have_is_refused_by_django(echo: Echo) -> None:
    reply = httpx.get(f"{echo.url}/hello/", headers={"Host": "evil.example"})

    assert reply.status_code == 400
    assert echo.serves_on()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-WebSocket-Protocol": "\xe4"}, 400),
    ],
)
def test_a_wrong_handshake_is_refused(
    echo: Echo, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(
            f"ws://127.0.0.1:{echo.port}/echo/",
            additional_headers=headers,
            proxy=None,
        )

    assert refused.value.response.status_code == status
    assert echo.serves_on()


def test_an_unsupported_version_of_websocket_is_told_the_right_one(echo: Echo) -> None:
    answer = echo.raw(
        b"GET /echo/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade, close\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )

    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b"sec-websocket-version: 13" in answer.lower()
    assert echo.serves_on()


def test_a_message_above_the_limit_closes_with_1009(echo: Echo) -> None:
    with connect(f"ws://127.0.0.1:{echo.port}/echo/", proxy=None) as client:
        client.send(b"x" * (1024 * 1024 + 1))
        with pytest.raises(ConnectionClosed):
            client.recv(20)

    assert client.close_code == 1009
    assert echo.serves_on()


def test_a_text_that_is_not_utf_8_closes_with_1007(echo: Echo) -> None:
    with connect(f"ws://127.0.0.1:{echo.port}/echo/", proxy=None) as client:
        client.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosed):
            client.recv(20)

    assert client.close_code == 1007
    assert echo.serves_on()


@pytest.mark.parametrize("command", ["runinterface", "runworker"])
def test_a_scheme_that_nobody_offers_stops_the_start_with_its_nearest_name(
    command: str,
) -> None:
    environment = {"FAIRWAY_LAYER": "reddis://127.0.0.1:1/0"}
    with run_manage(ECHO, command, environment=environment) as process:
        assert process.child.wait(30) != 0

        assert "Did you mean 'redis'?" in process.output()


def test_a_redis_that_is_not_there_is_answered_for_and_found_when_it_comes() -> None:
    redis = RedisServer(password="do-not-tell")
    environment = {"FAIRWAY_LAYER": redis.url}
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        stack.callback(redis.close)
        started = run_manage(
            ECHO, "runinterface", "--port", str(port), environment=environment
        )
        interface = stack.enter_context(started)
        worker = stack.enter_context(
            run_manage(ECHO, "runworker", environment=environment)
        )
        interface.wait_for_port(port)

        away = httpx.get(f"{url}/hello/", timeout=30)
        assert away.status_code == 503
        assert int(away.headers["Retry-After"]) > 0
        assert httpx.get(f"{url}/-/live").status_code == 200
        assert httpx.get(f"{url}/-/ready").status_code == 503

        redis.start()
        wait_until(lambda: httpx.get(f"{url}/-/ready").status_code == 200, 30)
        back = httpx.get(f"{url}/hello/", timeout=30)
        assert (back.status_code, back.text) == (200, "Hello, world")

        for process in (interface, worker):
            assert process.output().count(" is unavailable: ") == 1
            assert "do-not-tell" not in process.output()
