"""http on real sockets over the memory layer."""

from __future__ import annotations

import hashlib
import logging
import socket
import struct
import threading
from collections.abc import Iterator

import httpx
import pytest
from blockbuster import blockbuster_ctx

from fairway.core.bus.operations import REPLY_LOST, Lost
from fairway.kit import Content, Exchange
from tests.plugins.http.serving import (
    CHUNK,
    Client,
    Mounted,
    Serving,
    produce,
    pull_body,
    serving,
    settled,
)
from tests.support.garbage import without_collector
from tests.support.loop import LoopThread
from tests.support.waiting import wait_until


@pytest.fixture(autouse=True)
def _loop_that_never_blocks() -> Iterator[None]:
    """Fail whatever blocks the loop."""
    with blockbuster_ctx("fairway.plugins.http"):
        yield


def silent(served: Serving, event: Content) -> None:
    """Answer nothing; the test does, or nobody."""


def echo(served: Serving, event: Content) -> None:
    served.reply(event, bytes=pull_body(served, event))


def digest(served: Serving, event: Content) -> None:
    served.reply(event, text=hashlib.sha256(pull_body(served, event)).hexdigest())


def size(served: Serving, event: Content) -> None:
    served.reply(event, text=str(len(pull_body(served, event))))


def resident() -> int:
    """Return the bytes of memory that this process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


# Requests and answers.


def test_httpx_gets_an_answer_and_keeps_the_connection(loop_thread: LoopThread) -> None:
    with serving(loop_thread) as served, httpx.Client(verify=False) as client:
        for _ in range(3):
            response = client.get(f"{served.url}/a%20b?c=d", headers={"X-A": "1"})
            assert (response.status_code, response.text) == (200, "hello")

        event = served.requests()[0]
        assert len({request["client"] for request in served.requests()}) == 1
        assert (event["path"], event["query_string"]) == ("/a b", b"c=d")
        assert event["scheme"] == "http"
        assert event["server"] == ["127.0.0.1", served.port]
        assert [b"x-a", b"1"] in event["headers"]


def test_a_connection_that_ended_leaves_nothing_to_the_collector(
    loop_thread: LoopThread,
) -> None:
    with serving(loop_thread) as served:

        def visit() -> None:
            with Client(served) as client:
                client.get()
                client.response()

        visit()
        with without_collector(least=5) as left:
            for _ in range(10):
                visit()
            wait_until(lambda: not left())


def test_each_request_is_a_peer_of_its_own(loop_thread: LoopThread) -> None:
    with serving(loop_thread) as served, Client(served) as client:
        for _ in range(2):
            client.get()
            client.response()

        first, second = served.requests()
        assert first["peer"] != second["peer"]
        assert first["reply_channel"] != second["reply_channel"]


def test_a_slow_first_answer_comes_before_the_second(loop_thread: LoopThread) -> None:
    with serving(loop_thread, {"/slow": silent}) as served, Client(served) as client:
        client.get("/slow")
        client.get("/fast")
        wait_until(lambda: served.requests())
        served.reply(served.requests()[0], text="slow")

        assert client.response().body == b"slow"
        assert client.response().body == b"hello"


def test_many_pipelined_requests_are_all_answered(loop_thread: LoopThread) -> None:
    with serving(loop_thread, {"/": echo}) as served, Client(served) as client:
        for number in range(100):
            client.post(b"%d" % number)

        bodies = [client.response().body for _ in range(100)]
        assert bodies == [b"%d" % number for number in range(100)]


def test_head_has_the_length_and_no_body(loop_thread: LoopThread) -> None:
    with serving(loop_thread) as served, Client(served) as client:
        client.get(method="HEAD")
        client.get()

        assert client.response(method="HEAD").headers["content-length"] == "5"
        assert client.response().body == b"hello"


def test_a_client_of_http_1_0_sees_the_end(loop_thread: LoopThread) -> None:
    with serving(loop_thread) as served, Client(served) as client:
        client.send(b"GET / HTTP/1.0\r\n\r\n")

        assert client.read_to_end().endswith(b"Connection: close\r\n\r\nhello")


def test_a_client_that_waits_for_100_gets_it(loop_thread: LoopThread) -> None:
    with serving(loop_thread, {"/": echo}) as served, Client(served) as client:
        client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert client.status() == 100
        client.send(b"hello")

        assert client.response().body == b"hello"


def test_a_body_in_chunks_arrives(loop_thread: LoopThread) -> None:
    with serving(loop_thread, {"/": echo}) as served, Client(served) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"5\r\nhello\r\n")
        client.send(b"1\r\n!\r\n0\r\n\r\n")
        client.get()

        assert client.response().body == b"hello!"
        assert client.response().body == b""


def test_a_group_send_answers_all_who_wait(loop_thread: LoopThread) -> None:
    with (
        serving(loop_thread, {"/wait": silent}) as served,
        Client(served) as first,
        Client(served) as second,
    ):
        first.get("/wait")
        second.get("/wait")
        wait_until(lambda: len(served.requests()) == 2)
        for event in served.requests():
            served.layer.group_add("waiting", event["reply_channel"])
        served.layer.group_send("waiting", b"\x81\xa4text\xa3now")

        assert first.response().body == b"now"
        assert second.response().body == b"now"
        wait_until(lambda: served.layer.group_count("waiting") == 0)


def test_an_access_line_is_written(
    loop_thread: LoopThread, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.INFO, "fairway.access"),
        serving(loop_thread) as served,
        Client(served) as client,
    ):
        client.get("/a%1B%5B31m?secret=1")
        client.response()

        def lines() -> list[logging.LogRecord]:
            return [r for r in caplog.records if r.name == "fairway.access"]

        wait_until(lines)
        (record,) = lines()
        assert record.__dict__["protocol"] == "http"
        assert record.__dict__["what"] == "GET"
        assert record.__dict__["path"] == "/a%1B%5B31m"
        assert record.__dict__["status"] == 200
        assert record.__dict__["client"].startswith("127.0.0.1:")
        assert "secret" not in record.getMessage()


# Long bodies.


@pytest.mark.parametrize("length", [CHUNK, CHUNK + 1, 1024 * 1024])
def test_a_long_body_is_pulled_whole(loop_thread: LoopThread, length: int) -> None:
    body = bytes(range(251)) * (length // 251 + 1)
    body = body[:length]
    with serving(loop_thread, {"/": digest}) as served, Client(served) as client:
        client.post(body)

        expected = hashlib.sha256(body).hexdigest().encode()
        assert client.response().body == expected
        settled(served)


def test_memory_stays_flat_while_a_body_of_20_mib_is_uploaded(
    loop_thread: LoopThread,
) -> None:
    with serving(loop_thread, {"/": size}) as served, Client(served) as client:
        client.post(b"warm up" * CHUNK)
        client.response()
        before, peak = resident(), 0
        total = 80 * CHUNK
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % total)
        for _ in range(80):
            client.send(bytes(CHUNK))
            peak = max(peak, resident())

        # The consumer of this test keeps the body, in this process.
        assert client.response().body == b"%d" % total
        assert peak - before < 10 * 1024 * 1024
        settled(served)


def test_an_upload_that_ends_early_frees_the_disk(loop_thread: LoopThread) -> None:
    with serving(loop_thread) as served:
        with Client(served) as client:
            client.send(
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n"
            )
            client.send(bytes(4 * CHUNK))
            wait_until(lambda: served.on_disk() > 0)

        settled(served)
        assert served.events == []


def test_a_full_disk_is_answered_with_503(loop_thread: LoopThread) -> None:
    with (
        serving(loop_thread, spool_total=100 * 1024) as served,
        Client(served) as client,
    ):
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n")
        client.send(bytes(2 * CHUNK))

        response = client.response()
        assert response.status == 503
        assert "retry-after" in response.headers
        settled(served)


def test_a_disk_that_is_not_there_is_answered_with_503(
    loop_thread: LoopThread,
) -> None:
    with (
        serving(loop_thread, spool_dir="/nonexistent") as served,
        Client(served) as client,
    ):
        client.post(bytes(CHUNK + 1))

        assert client.status() == 503


# Long answers.


def streams(chunks: int, seen: list[int]) -> dict[str, object]:
    def consumer(served: Serving, event: Content) -> None:
        produce(served, event, chunks, seen)

    return {"/": consumer}


def test_a_streamed_answer_arrives_whole(loop_thread: LoopThread) -> None:
    seen: list[int] = []
    with (
        serving(loop_thread, streams(40, seen)) as served,  # type: ignore[arg-type]
        Client(served) as client,
    ):
        client.get()

        body = client.response().body
        assert body == b"".join(bytes([n]) * CHUNK for n in range(40))


def test_a_slow_reader_holds_up_neither_the_producer_nor_the_memory(
    loop_thread: LoopThread,
) -> None:
    seen: list[int] = []
    with (
        serving(loop_thread, streams(80, seen)) as served,  # type: ignore[arg-type]
        Client(served, receive_buffer=16 * 1024) as client,
    ):
        before = resident()
        client.get()
        wait_until(lambda: len(seen) == 80)
        wait_until(lambda: served.on_disk() > 40 * CHUNK)
        assert resident() - before < 12 * 1024 * 1024

        body = client.response().body
        assert body == b"".join(bytes([n]) * CHUNK for n in range(80))
        settled(served)


def test_a_producer_waits_when_the_disk_has_its_share(loop_thread: LoopThread) -> None:
    seen: list[int] = []
    with (
        serving(
            loop_thread,
            streams(60, seen),  # type: ignore[arg-type]
            spool_response=4 * CHUNK,
        ) as served,
        Client(served, receive_buffer=16 * 1024) as client,
    ):
        client.get()
        wait_until(lambda: served.on_disk() >= 4 * CHUNK)
        assert len(seen) < 60

        body = client.response().body
        assert body == b"".join(bytes([n]) * CHUNK for n in range(60))
        assert len(seen) == 60


def test_a_reader_that_leaves_stops_the_producer_and_frees_the_disk(
    loop_thread: LoopThread,
) -> None:
    seen: list[int] = []
    with serving(
        loop_thread,
        streams(200, seen),  # type: ignore[arg-type]
        spool_response=8 * CHUNK,
    ) as served:
        with Client(served, receive_buffer=16 * 1024) as client:
            client.get()
            wait_until(lambda: served.on_disk() > 0)

        wait_until(lambda: seen and seen[-1] == -1)
        wait_until(lambda: "http.disconnect" in served.channels())
        settled(served)


@pytest.mark.standard
def test_a_reader_that_takes_nothing_is_cut(loop_thread: LoopThread) -> None:
    seen: list[int] = []
    with (
        serving(
            loop_thread,
            streams(60, seen),  # type: ignore[arg-type]
            write_timeout=0.3,
        ) as served,
        Client(served, receive_buffer=16 * 1024),
    ):
        with Client(served, receive_buffer=16 * 1024) as client:
            client.get()
            wait_until(lambda: served.on_disk() > 0)
            settled(served)


def test_an_answer_in_parts_that_fails_is_cut(loop_thread: LoopThread) -> None:
    def breaks(served: Serving, event: Content) -> None:
        served.reply(event, status=200, headers=[], content=b"a", more_content=True)
        served.reply(event, status=500, headers=[], content=b"oops")

    with serving(loop_thread, {"/": breaks}) as served, Client(served) as client:
        client.get()

        assert client.read_to_end().endswith(b"\r\n\r\n1\r\na\r\n")


def test_a_request_whose_answer_was_lost_is_told_503(loop_thread: LoopThread) -> None:
    def loses(served: Serving, event: Content) -> None:
        served.layer.apply([Lost(event["reply_channel"], REPLY_LOST)])

    with serving(loop_thread, {"/": loses}) as served, Client(served) as client:
        client.get()
        response = client.response()
        client.get("/other")

        assert response.status == 503
        assert response.headers["retry-after"]
        assert client.response().body == b"hello"


def test_an_answer_that_lost_a_part_is_cut(loop_thread: LoopThread) -> None:
    def loses(served: Serving, event: Content) -> None:
        parts = {"status": 200, "headers": [], "more_content": True}
        served.reply(event, content=b"a", **parts)
        served.layer.apply([Lost(event["reply_channel"], REPLY_LOST)])

    with serving(loop_thread, {"/": loses}) as served, Client(served) as client:
        client.get()

        assert client.read_to_end().endswith(b"\r\n\r\n1\r\na\r\n")
        wait_until(lambda: "http.disconnect" in served.channels())


# Clients that leave.


def test_a_client_that_leaves_early_becomes_an_event(loop_thread: LoopThread) -> None:
    with serving(loop_thread, {"/": silent}) as served:
        with Client(served) as client:
            client.get()
            wait_until(lambda: served.requests())

        wait_until(lambda: served.channels() == ["http.request", "http.disconnect"])
        request, disconnect = [content for _, content in served.events]
        assert disconnect["peer"] == request["peer"]


def test_a_client_that_resets_hurts_nobody(loop_thread: LoopThread) -> None:
    with serving(loop_thread, {"/": silent}) as served:
        for _ in range(20):
            client = Client(served)
            client.get()
            linger = struct.pack("ii", 1, 0)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.socket.close()

        assert httpx.get(f"{served.url}/other").text == "hello"


# Refusals.


REFUSED = [
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 100 + b"\r\n", 431),
    (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\nContent-Length: 1\r\n\r\n", 417),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),
]


@pytest.mark.parametrize(("data", "status"), REFUSED)
def test_a_broken_request_is_answered_and_the_connection_closed(
    loop_thread: LoopThread, data: bytes, status: int
) -> None:
    with serving(loop_thread) as served, Client(served) as client:
        client.send(data)

        response = client.response()
        assert response.status == status
        assert response.headers["connection"] == "close"
        assert response.headers["content-type"].startswith("text/plain")
        assert client.is_closed()
        assert served.events == []
        assert httpx.get(served.url).text == "hello"


def test_a_request_smuggled_behind_a_refused_one_is_not_read(
    loop_thread: LoopThread,
) -> None:
    with serving(loop_thread) as served, Client(served) as client:
        client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n"
            b"Host: a\r\n\r\n"
        )

        assert client.status() == 400
        assert client.is_closed()
        assert served.events == []


def test_a_body_above_the_limit_is_answered_with_413(loop_thread: LoopThread) -> None:
    with serving(loop_thread, max_body=1_000) as served, Client(served) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n")
        client.send(bytes(CHUNK))

        assert client.status() == 413
        assert client.is_closed()
        assert served.events == []


def test_a_head_that_does_not_end_is_answered_with_408(loop_thread: LoopThread) -> None:
    with serving(loop_thread, header_timeout=0.2) as served, Client(served) as client:
        client.send(b"GET / HTTP/1.1\r\n")

        assert client.status() == 408
        assert client.is_closed()


def test_a_body_that_stalls_is_answered_with_408(loop_thread: LoopThread) -> None:
    with serving(loop_thread, body_timeout=0.2) as served, Client(served) as client:
        client.post(b"hello")
        client.response()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")

        assert client.status() == 408
        assert client.is_closed()


def test_an_idle_connection_is_closed(loop_thread: LoopThread) -> None:
    with serving(loop_thread, keep_alive=0.2) as served, Client(served) as client:
        client.get()
        client.response()

        assert client.is_closed()


def test_a_worker_that_does_not_answer_is_answered_for(loop_thread: LoopThread) -> None:
    with (
        serving(loop_thread, {"/": silent}, answer_timeout=0.2) as served,
        Client(served) as client,
    ):
        client.get()
        assert client.status() == 504
        served.reply(served.requests()[0], text="too late")
        client.get("/other")

        assert client.response().body == b"hello"


@pytest.mark.standard  # it takes as long as a request may wait for room
def test_a_full_channel_is_answered_with_503(loop_thread: LoopThread) -> None:
    go_on = threading.Event()

    def busy(served: Serving, event: Content) -> None:
        go_on.wait(30)

    with (
        serving(loop_thread, {"/busy": busy}, capacity=1) as served,
        Client(served) as first,
        Client(served) as second,
        Client(served) as third,
    ):
        first.get("/busy")
        wait_until(lambda: served.requests())
        second.get()
        wait_until(
            lambda: served.layer.statistics(["http.request"])["http.request"].waiting
        )
        third.get()

        response = third.response()
        assert response.status == 503
        assert int(response.headers["retry-after"]) > 0
        go_on.set()
        assert second.status() == 200
        third.get()
        assert third.status() == 200


def test_a_reply_that_cannot_be_carried_is_a_500(loop_thread: LoopThread) -> None:
    def splits(served: Serving, event: Content) -> None:
        served.reply(event, status=200, headers=[[b"a", b"b\r\nc: d"]], content=b"")

    with serving(loop_thread, {"/": splits}) as served, Client(served) as client:
        client.get()

        assert client.response().body == b"500 Internal Server Error\n"
        assert served.layer.drops.counts()["http", "unsupported"] == 1


# Limits.


def test_connections_of_one_address_are_bounded(loop_thread: LoopThread) -> None:
    with serving(loop_thread, limits={"peers_per_address": 3}) as served:
        clients = [Client(served) for _ in range(3)]
        for client in clients:
            client.get()
            assert client.status() == 200
        with Client(served) as refused:
            assert refused.is_closed()
        clients.pop().socket.close()
        wait_until(lambda: served.call(lambda: len(served.http._connections)) == 2)

        with Client(served) as client:
            client.get()
            assert client.status() == 200
        for client in clients:
            client.socket.close()


def test_a_full_server_answers_503(loop_thread: LoopThread) -> None:
    with (
        serving(loop_thread, {"/": silent}, limits={"peers": 2}) as served,
        Client(served) as first,
        Client(served) as second,
    ):
        first.get()
        second.get()
        wait_until(lambda: len(served.requests()) == 2)
        with Client(served) as third:
            assert third.is_closed()


def test_the_forwarded_address_is_limited_behind_a_proxy(
    loop_thread: LoopThread,
) -> None:
    with (
        serving(
            loop_thread,
            {"/": silent},
            trusted_proxies=["127.0.0.1"],
            limits={"peers_per_address": 1},
        ) as served,
        Client(served) as first,
        Client(served) as second,
        Client(served) as third,
    ):
        first.get("/", "X-Forwarded-For: 198.51.100.1")
        wait_until(lambda: served.requests())
        second.get("/", "X-Forwarded-For: 198.51.100.1")
        third.get("/x", "X-Forwarded-For: 198.51.100.2")

        assert second.status() == 429
        assert third.status() == 200


# Proxies.


def test_forwarded_headers_are_believed_from_trusted_proxies_only(
    loop_thread: LoopThread,
) -> None:
    headers = {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https"}
    with serving(loop_thread) as served:
        httpx.get(served.url, headers=headers)
        assert served.requests()[0]["client"].startswith("127.0.0.1:")
        assert served.requests()[0]["scheme"] == "http"
    with serving(loop_thread, trusted_proxies=["127.0.0.0/8"]) as served:
        httpx.get(served.url, headers=headers)
        assert served.requests()[0]["client"] == "198.51.100.1"
        assert served.requests()[0]["scheme"] == "https"


def test_a_request_id_is_taken_from_trusted_proxies_only(
    loop_thread: LoopThread, caplog: pytest.LogCaptureFixture
) -> None:
    given = [
        {"X-Request-ID": "edge-7.0_a"},
        {"X-Request-ID": "two words"},
        {"X-Request-ID": "x" * 129},
        {"X-Request-ID": "edge", "x-request-id": "other"},
    ]
    with serving(loop_thread) as served:
        httpx.get(served.url, headers=given[0])
        assert "request_id" not in served.requests()[0]
    caplog.clear()
    with (
        caplog.at_level(logging.INFO, "fairway.access"),
        serving(loop_thread, trusted_proxies=["127.0.0.0/8"]) as served,
    ):
        for headers in given:
            httpx.get(served.url, headers=list(headers.items()))
        found = [one.get("request_id") for one in served.requests()]
    lines = [vars(one) for one in caplog.records if one.name == "fairway.access"]

    assert found == ["edge-7.0_a", None, None, None]
    assert lines[0]["request_id"] == "edge-7.0_a"
    for line in lines[1:]:
        assert line["request_id"] == line["peer"].partition(":")[2]


def test_a_unix_socket_serves_too(loop_thread: LoopThread, tmp_path: object) -> None:
    path = f"{tmp_path}/site.sock"
    transport = httpx.HTTPTransport(uds=path, verify=False)
    with (
        serving(loop_thread, bind=[f"unix:{path}"], trusted_proxies=["unix"]) as served,
        httpx.Client(transport=transport) as client,
    ):
        headers = {"X-Forwarded-For": "198.51.100.1"}
        assert client.get("http://a/", headers=headers).text == "hello"
        assert served.requests()[0]["client"] == "198.51.100.1"


# Mounts.


def test_a_mount_answers_without_a_worker(loop_thread: LoopThread) -> None:
    mounted = Mounted().add("/m/", lambda exchange: exchange.respond(200, body=b"m"))
    with (
        serving(loop_thread, mounted=mounted) as served,
        Client(served) as client,
    ):
        client.get("/m/x")
        client.get("/other")

        assert client.response().body == b"m"
        assert client.response().body == b"hello"
        assert len(served.requests()) == 1


def test_a_mount_reads_a_body_and_answers_in_parts(loop_thread: LoopThread) -> None:
    served: Serving

    def opened(exchange: Exchange) -> None:
        async def work() -> None:
            body = await exchange.body(100)
            exchange.start(201, [(b"x-a", b"b")])
            exchange.write(body[:2])
            exchange.write(body[2:])
            exchange.finish()

        served.http.host.spawn(work())

    with (
        serving(loop_thread, mounted=Mounted().add("/m/", opened)) as served,
        Client(served) as client,
    ):
        client.post(b"hello", "/m/")
        response = client.response()
        assert (response.status, response.body) == (201, b"hello")
        assert response.headers["x-a"] == "b"

        client.post(bytes(101), "/m/")
        assert client.status() == 413


def test_a_mount_hears_of_a_client_that_left(loop_thread: LoopThread) -> None:
    left = threading.Event()
    opened: list[Exchange] = []

    def open_(exchange: Exchange) -> None:
        exchange.on_closed(left.set)
        opened.append(exchange)

    with serving(loop_thread, mounted=Mounted().add("/m/", open_)) as served:
        with Client(served) as client:
            client.get("/m/")
            wait_until(lambda: opened)

        assert left.wait(10)
        # Too late, but nobody's fault.
        served.call(lambda: opened[0].respond(200))


def test_a_mount_that_fails_is_a_500(loop_thread: LoopThread) -> None:
    def broken(exchange: Exchange) -> None:
        raise ValueError("broken")

    with (
        serving(loop_thread, mounted=Mounted().add("/m/", broken)) as served,
        Client(served) as client,
    ):
        client.get("/m/")
        client.get("/other")

        assert client.status() == 500
        assert client.status() == 200


# The end.


@pytest.mark.standard
def test_a_server_that_stops_answers_what_is_in_flight(loop_thread: LoopThread) -> None:
    with serving(loop_thread, {"/": silent}) as served:
        idle, busy = Client(served), Client(served)
        idle.get("/other")
        idle.response()
        busy.get()
        wait_until(lambda: len(served.requests()) == 2)
        stopping = threading.Thread(target=served.stop, args=(10,))
        stopping.start()

        assert idle.is_closed()
        served.reply(served.requests()[1], text="bye")
        response = busy.response()
        assert (response.body, response.headers["connection"]) == (b"bye", "close")
        assert busy.is_closed()
        idle.socket.close()
        busy.socket.close()
        stopping.join(10)
        assert not stopping.is_alive()


def test_what_is_not_answered_within_the_grace_is_cut(loop_thread: LoopThread) -> None:
    with serving(loop_thread, {"/": silent}) as served, Client(served) as client:
        client.get()
        wait_until(lambda: served.requests())

        served.stop(0.1)

        assert client.is_closed()
