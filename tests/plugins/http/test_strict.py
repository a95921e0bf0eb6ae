"""What breaks the rules, over real sockets: refused, closed, and the server goes on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plugins.http.serving import Client, Serving, serving
from tests.plugins.http.test_parser import REFUSED, TAKEN, post, request
from tests.support.loop import LoopThread, wait_until

MEGABYTE = 1024 * 1024
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def served(loop_thread: LoopThread) -> Iterator[Serving]:
    with serving(loop_thread, max_body=MEGABYTE) as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_seen_yet(served: Serving) -> None:
    served.events.clear()


def serves_on(served: Serving) -> bool:
    return httpx.get(f"{served.url}/after").text == "hello"


@pytest.mark.parametrize(
    ("data", "expected"),
    [pytest.param(data, code, id=name) for name, data, code in REFUSED],
)
def test_it_is_refused_and_the_connection_ends(
    served: Serving, data: bytes, expected: int
) -> None:
    with Client(served) as client:
        client.send(data)

        response = client.response()
        assert response.status == expected
        assert response.headers["connection"] == "close"
        assert client.is_closed()
    assert served.requests() == []


@pytest.mark.parametrize(
    "data", [pytest.param(data, id=name) for name, data, _ in REFUSED]
)
def test_nothing_behind_it_is_taken_for_a_request(served: Serving, data: bytes) -> None:
    # A head that lacks its end swallows what follows, which is refused with it.
    with Client(served) as client:
        client.send(data + SMUGGLED)

        assert client.status() >= 400
        assert client.is_closed()
    assert served.requests() == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(data, code, id=name)
        for name, data, code in REFUSED
        if not data.startswith(b"\r\n")  # fewer empty lines count between requests
    ],
)
def test_requests_before_it_are_answered_first(
    served: Serving, data: bytes, expected: int
) -> None:
    with Client(served) as client:
        client.send(request(start=b"GET /before HTTP/1.1") + data)

        assert [client.status(), client.status()] == [200, expected]
        assert client.is_closed()
    assert [event["path"] for event in served.requests()] == ["/before"]


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in TAKEN])
def test_what_is_odd_but_allowed_is_answered_and_the_connection_goes_on(
    served: Serving, data: bytes
) -> None:
    with Client(served) as client:
        client.send(data)
        assert client.status() == 200
        if b"HTTP/1.0" not in data:
            client.get("/next")
            assert client.status() == 200


def test_the_server_serves_on_after_all_of_it(served: Serving) -> None:
    for _, data, _ in REFUSED:
        with Client(served) as client:
            client.send(data)

    assert serves_on(served)
    wait_until(lambda: served.call(lambda: len(served.http._connections)) <= 1)


def test_names_with_an_underscore_are_counted_as_dropped(served: Serving) -> None:
    before = served.layer.drops.counts().get(("http", "header_name"), 0)
    with Client(served) as client:
        client.get("/", "X_Forwarded_For: 1", "Content_Length: 5")
        assert client.status() == 200

    names = [name for name, _ in served.requests()[0]["headers"]]
    assert [bytes(name) for name in names] == [b"host"]
    assert served.layer.drops.counts()["http", "header_name"] == before + 1


# An answer to input that was not read reaches the client.


OVERSIZE = [
    ("a body above the limit", post(b"Content-Length: %d" % (1 << 40)), 413),
    ("chunks above the limit", post(b"Transfer-Encoding: chunked"), 413),
    ("a broken head", request(b"A : b"), 400),
    ("a chunk that is none", post(b"Transfer-Encoding: chunked") + b"g\r\n", 400),
    ("a long request line", b"GET /" + b"a" * 9_000, 414),
    ("a large header block", request()[:-2] + b"A: " + b"b" * 70_000, 431),
    ("many header fields", request(*[b"A: b"] * 100), 431),
    ("an unknown method", request(start=b"BREW / HTTP/1.1"), 501),
]


@pytest.mark.parametrize(
    ("data", "expected"),
    [pytest.param(data, code, id=name) for name, data, code in OVERSIZE],
)
def test_a_client_that_writes_before_it_reads_gets_its_answer(
    served: Serving, data: bytes, expected: int
) -> None:
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    with Client(served) as client:
        # More than all buffers on the way hold, so that the server must read it.
        client.send(data)
        for _ in range(256):
            client.send(chunk)

        response = client.response()
        assert response.status == expected
        assert client.is_closed()
    assert served.requests() == []


def test_a_client_that_writes_on_after_the_last_answer_still_gets_it(
    loop_thread: LoopThread,
) -> None:
    def closes(served: Serving, event: dict[str, object]) -> None:
        headers = [[b"Connection", b"close"]]
        served.reply(event, status=200, headers=headers, content=b"bye")

    with (
        serving(loop_thread, {"/": closes}) as served,
        Client(served) as client,
    ):
        client.get()
        wait_until(lambda: served.requests())
        for _ in range(64):
            client.get("/more")

        assert client.response().body == b"bye"
        assert client.is_closed()
        assert len(served.requests()) == 1


@pytest.mark.standard
def test_a_client_that_was_refused_and_stays_is_closed(
    loop_thread: LoopThread,
) -> None:
    with serving(loop_thread) as served, Client(served) as client:
        client.send(b"\x00")
        assert client.status() == 400

        connections = served.http._connections
        wait_until(lambda: not served.call(lambda: len(connections)), timeout=20)


# Whatever comes.


TOKENS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"Host: \xff\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
        b"\r\n",
        b"\n",
        b"\x00",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"ffffffffffffffff\r\n",
    ]
)


@pytest.mark.standard
@given(st.lists(TOKENS | st.binary(max_size=40), max_size=12))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_bytes_harm_a_running_server(served: Serving, parts: list[bytes]) -> None:
    with Client(served) as client, suppress(BrokenPipeError, ConnectionResetError):
        for part in parts:
            client.send(part)
        client.socket.shutdown(socket.SHUT_WR)
        answer = client.read_to_end()
        assert not answer or answer.startswith(b"HTTP/1.1 ")
        assert b" 500 " not in answer

    assert serves_on(served)


def test_two_peers_on_interleaved_connections_get_their_own_answers(
    loop_thread: LoopThread,
) -> None:
    first_goes_on = threading.Event()

    def echoes(served: Serving, event: dict[str, object]) -> None:
        if event["path"] == "/slow":
            threading.Thread(target=late, args=(served, event)).start()
        else:
            served.reply(event, text=str(event["query_string"]))

    def late(served: Serving, event: dict[str, object]) -> None:
        first_goes_on.wait(20)
        served.reply(event, text=str(event["query_string"]))

    consumers = {"/slow": echoes, "/fast": echoes}
    with (
        serving(loop_thread, consumers) as served,
        Client(served) as first,
        Client(served) as second,
    ):
        first.get("/slow?first", "Cookie: sessionid=first")
        first.get("/fast?first2")
        wait_until(lambda: served.requests())
        second.get("/fast?second", "Cookie: sessionid=second")
        assert second.response().body == b"b'second'"
        first_goes_on.set()

        assert first.response().body == b"b'first'"
        assert first.response().body == b"b'first2'"
        heads = [dict(event["headers"]) for event in served.requests()]
        cookies = [head.get(b"cookie") for head in heads]
        assert cookies == [b"sessionid=first", b"sessionid=second", None]
