"""One connection, without a socket: what is told to the mapping, what it wants done."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.kit import (
    Content,
    Hangup,
    LocalProtocolError,
    MountPoint,
    Refusal,
    Write,
)
from fairway.plugins.http.mapping import HttpMapping
from fairway.plugins.http.proxy import Origin
from fairway.plugins.http.spec import INLINE_BODY, SPEC, HttpConfig
from fairway.plugins.http.steps import (
    Abort,
    Dispatch,
    End,
    EndBody,
    Feed,
    Fetch,
    Flush,
    Hold,
    HttpStep,
    Leave,
    Open,
    Send,
    Skipped,
    Store,
    Switch,
)
from fairway.plugins.http.surroundings import Connection, Surroundings

T = TypeVar("T")

EPOCH = 1_000_000_000.0
DATE = b"Date: Sun, 09 Sep 2001 01:46:40 GMT\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK: Content = {"status": 200, "headers": [], "content": b"ok"}


def point(prefix: str, *, upgrade: str | None = None, methods: str = "") -> MountPoint:
    return MountPoint(
        prefix=prefix,
        methods=tuple(methods.split()),
        upgrade=upgrade,
        plugin="test",
        open=lambda exchange: None,
    )


class Client:
    """A mapping with the bytes it has written; time stands still unless moved."""

    def __init__(
        self, config: HttpConfig | None = None, mounts: Sequence[MountPoint] = ()
    ) -> None:
        config = HttpConfig(server_header="") if config is None else config
        origin = Origin("192.0.2.1:5", "http", ("192.0.2.2", 80))
        self.mapping = HttpMapping(
            Surroundings(config, mounts, "token"), Connection(7, origin, EPOCH)
        )
        self.now = 0.0
        self.steps: list[HttpStep] = []
        self.mapping.opened(0.0)

    def did(self, steps: Iterable[HttpStep]) -> list[HttpStep]:
        found = list(steps)
        self.steps += found
        return found

    def send(self, data: bytes) -> list[HttpStep]:
        return self.did(self.mapping.received(data, self.now))

    def reply(self, content: Content, *, room: bool = True) -> list[HttpStep]:
        return self.did(self.mapping.reply(content, self.now, room=room))

    def wait(self, seconds: float, backlog: int = 0) -> list[HttpStep]:
        self.now += seconds
        return self.did(self.mapping.deadline_passed(self.now, backlog))

    def all(self, kind: type[T]) -> list[T]:
        return [step for step in self.steps if isinstance(step, kind)]

    @property
    def written(self) -> bytes:
        return b"".join(write.data for write in self.all(Write))

    @property
    def statuses(self) -> list[int]:
        return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d+) ", self.written)]

    @property
    def hung_up(self) -> bool:
        return bool(self.all(Hangup))


def post(body: bytes, *lines: bytes) -> bytes:
    head = [b"POST / HTTP/1.1", b"Host: a", *lines]
    return b"\r\n".join([*head, b"Content-Length: %d" % len(body), b"", body])


def answer(
    *lines: bytes, body: bytes = b"", start: bytes = b"HTTP/1.1 200 OK"
) -> bytes:
    return b"".join(line + b"\r\n" for line in [start, *lines]) + b"\r\n" + body


# Requests.


def test_a_request_becomes_an_event_when_it_is_complete() -> None:
    client = Client()

    client.send(b"GET /a%20b?c HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n")

    (dispatch,) = client.all(Dispatch)
    assert dispatch.channel == "http.request"
    assert dispatch.content == {
        "method": "GET",
        "http_version": "1.1",
        "raw_path": b"/a%20b",
        "body": b"",
    }
    assert (dispatch.head.path, dispatch.head.query_string) == ("/a b", b"c")
    assert dispatch.head.headers == [(b"host", b"a"), (b"x-y", b"z")]
    assert dispatch.head.client == "192.0.2.1:5"
    assert dispatch.head.server == ("192.0.2.2", 80)


def test_the_keys_of_an_event_are_those_of_the_spec() -> None:
    client = Client()

    client.send(post(b"x" * (INLINE_BODY + 1)))
    client.did(client.mapping.flushed(0.0))

    keys = next(event.keys for event in SPEC.events if event.channel == "http.request")
    (dispatch,) = client.all(Dispatch)
    assert dispatch.content.keys() == keys.keys()


def test_a_short_body_travels_with_its_event() -> None:
    client = Client()

    client.send(post(b"hello")[:-2])
    assert not client.all(Dispatch)
    client.send(b"lo")

    assert client.all(Dispatch)[0].content["body"] == b"hello"


def test_a_long_body_goes_to_disk_and_its_event_follows_when_it_is_there() -> None:
    client = Client()
    body = b"x" * INLINE_BODY + b"y"

    client.send(post(body)[:-1])
    assert not client.all(Store)
    client.send(b"y")

    assert b"".join(step.data for step in client.all(Store)) == body
    assert client.all(Flush)
    assert not client.all(Dispatch)
    client.did(client.mapping.flushed(0.0))
    content = client.all(Dispatch)[0].content
    assert content["body"] == b""
    assert content["body_size"] == len(body)
    assert content["body_channel"] == "http.body?token-7-1"


def spooled(size: int) -> Client:
    client = Client()
    client.send(post(b"x" * size))
    client.did(client.mapping.flushed(0.0))
    return client


def test_a_consumer_pulls_a_body_chunk_by_chunk() -> None:
    client = spooled(2 * INLINE_BODY + 3)

    assert client.reply({"pull_body": 2}) == [Fetch(INLINE_BODY), Fetch(INLINE_BODY)]
    assert client.reply({"pull_body": 4}) == [Fetch(3)]
    assert client.reply({"pull_body": 4}) == []

    channel = "http.body?token-7-1"
    steps = client.mapping.fetched(b"x" * INLINE_BODY)
    assert steps == [
        Send(channel, {"content": b"x" * INLINE_BODY, "more_content": True})
    ]
    client.mapping.fetched(b"x" * INLINE_BODY)
    assert client.mapping.fetched(b"xxx") == [
        Send(channel, {"content": b"xxx", "more_content": False})
    ]


def test_a_consumer_that_pulls_is_told_when_the_client_left() -> None:
    client = spooled(INLINE_BODY + 1)

    steps = client.mapping.closed(0.0)

    assert Send("http.body?token-7-1", {"closed": True}) in steps
    assert Leave("http.disconnect") in steps


def test_a_body_that_the_disk_does_not_take_is_answered_with_503() -> None:
    client = Client()
    client.send(post(b"x" * (INLINE_BODY + 1)))

    client.did(client.mapping.disk_failed(0.0))

    assert client.statuses == [503]
    assert b"Retry-After: " in client.written
    assert not client.all(Dispatch)


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_above_the_limit_is_answered_with_413_and_not_read(
    announced: bool,
) -> None:
    client = Client(HttpConfig(max_body=10))

    if announced:
        client.send(post(b"x" * 11)[:-11])
    else:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.send(head + b"b\r\n" + b"x" * 11)

    assert client.statuses == [413]
    assert b"Connection: close" in client.written
    assert not client.hung_up  # so that the client can read it
    client.send(b"more")
    client.wait(3)
    assert client.hung_up
    assert not client.all(Dispatch)


@pytest.mark.parametrize(("rest", "continues"), [(b"", 1), (b"h", 0), (b"hello", 0)])
def test_100_continue_is_sent_unless_the_body_comes_anyway(
    rest: bytes, continues: int
) -> None:
    client = Client()

    client.send(post(b"hello", b"Expect: 100-continue")[:-5] + rest)

    assert client.written == b"HTTP/1.1 100 Continue\r\n\r\n" * continues


def test_100_continue_waits_for_the_answers_before_it() -> None:
    client = Client()

    client.send(GET + post(b"hello", b"Expect: 100-continue")[:-5])
    assert client.written == b""
    client.reply(OK)

    assert client.statuses == [200, 100]


def test_names_with_an_underscore_are_counted() -> None:
    client = Client()

    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX_A: b\r\nY_: c\r\n\r\n")

    assert client.all(Skipped) == [Skipped(2)]


# Pipelines.


def test_pipelined_requests_are_answered_one_after_another() -> None:
    client = Client()

    client.send(GET + GET.replace(b"/ ", b"/2 ") + post(b"three"))
    assert len(client.all(Dispatch)) == 1
    client.reply({"text": "1"})
    client.reply({"text": "2"})
    client.reply({"text": "3"})

    assert [step.content["raw_path"] for step in client.all(Dispatch)] == [
        b"/",
        b"/2",
        b"/",
    ]
    assert re.findall(rb"\r\n\r\n(\d)", client.written) == [b"1", b"2", b"3"]


def test_a_full_pipeline_is_not_read_until_an_answer_is_out() -> None:
    client = Client(HttpConfig(max_pipelined=3))

    assert Hold(False) not in client.send(GET * 2)
    assert Hold(False) in client.send(GET * 4)

    assert Hold(True) not in client.reply(OK)  # three more waited in what was read
    client.reply(OK)
    client.reply(OK)
    assert Hold(True) in client.reply(OK)
    client.reply(OK)
    client.reply(OK)
    assert client.statuses == [200] * 6


def test_a_body_behind_a_waiting_request_is_read_ahead_in_bounds_only() -> None:
    client = Client()
    client.send(GET + post(b"x" * 200_000)[:1_000])

    assert Hold(False) not in client.steps
    client.send(b"x" * 70_000)
    assert Hold(False) in client.steps
    client.reply(OK)

    assert client.steps[-1] == Hold(True)


def test_a_broken_request_is_answered_after_those_before_it() -> None:
    client = Client()

    client.send(GET + b"\x00\r\n\r\n" + GET)
    assert client.statuses == []
    client.reply(OK)

    assert client.statuses == [200, 400]
    assert client.hung_up
    assert client.send(GET) == []


def test_an_error_says_its_status_and_nothing_of_the_request() -> None:
    client = Client()

    client.send(b"GET /<script> HTTP/1.1\r\n\r\n")

    assert client.written == answer(
        b"Content-Type: text/plain; charset=utf-8",
        DATE[:-2],
        b"Content-Length: 16",
        b"Connection: close",
        start=b"HTTP/1.1 400 Bad Request",
        body=b"400 Bad Request\n",
    )


def test_thousands_of_refused_requests_in_one_read_are_answered_in_turn() -> None:
    client = Client(mounts=[point("/", methods="PUT")])

    client.send(GET * 2_000)

    assert client.statuses == [405] * 2_000


# Answers: (request, reply or replies, what is written but for Date).
HEAD = GET.replace(b"GET", b"HEAD")
OLD = b"GET / HTTP/1.0\r\n\r\n"
OLD_KEPT = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
LENGTH_2 = b"Content-Length: 2"
CHUNKED = b"Transfer-Encoding: chunked"
FIRST: Content = {"status": 200, "headers": [], "content": b"a", "more_content": True}
TEXT = b"Content-Type: text/plain; charset=utf-8"
BINARY = b"Content-Type: application/octet-stream"
NO_CONTENT = b"HTTP/1.1 204 No Content"
ANSWERS: list[tuple[str, bytes, list[Content], bytes]] = [
    ("whole", GET, [OK], answer(LENGTH_2, body=b"ok")),
    (
        "text",
        GET,
        [{"text": "\xe4"}],
        answer(TEXT, LENGTH_2, body="\xe4".encode()),
    ),
    ("bytes", GET, [{"bytes": b"ok"}], answer(BINARY, LENGTH_2, body=b"ok")),
    ("empty text", GET, [{"text": ""}], answer(TEXT, b"Content-Length: 0")),
    (
        "text with a type of its own",
        GET,
        [{"text": "ok", "headers": [[b"content-type", b"text/html"]]}],
        answer(b"content-type: text/html", LENGTH_2, body=b"ok"),
    ),
    (
        "headers",
        GET,
        [{**OK, "headers": [[b"X-A", b"1"], [b"x-a", b"2"], (b"E", b"")]}],
        answer(b"X-A: 1", b"x-a: 2", b"E: ", LENGTH_2, body=b"ok"),
    ),
    (
        "a length of its own",
        GET,
        [{**OK, "headers": [[b"content-length", b"2"]]}],
        answer(LENGTH_2, body=b"ok"),
    ),
    (
        "an unknown status",
        GET,
        [{**OK, "status": 299}],
        answer(LENGTH_2, start=b"HTTP/1.1 299 ", body=b"ok"),
    ),
    ("HEAD", HEAD, [OK], answer(LENGTH_2)),
    (
        "HEAD with a length",
        HEAD,
        [{"status": 200, "headers": [[b"Content-Length", b"99"]], "content": b""}],
        answer(b"Content-Length: 99"),
    ),
    ("HEAD in parts", HEAD, [FIRST, {"content": b"b"}], answer()),
    ("204", GET, [{"status": 204}], answer(start=NO_CONTENT)),
    ("204 with content", GET, [{**OK, "status": 204}], answer(start=NO_CONTENT)),
    (
        "304",
        GET,
        [{"status": 304, "headers": [[b"ETag", b'"x"']]}],
        answer(b'ETag: "x"', start=b"HTTP/1.1 304 Not Modified"),
    ),
    (
        "parts",
        GET,
        [FIRST, {"content": b"bcd", "more_content": True}, {"content": b""}],
        answer(CHUNKED, body=b"1\r\na\r\n3\r\nbcd\r\n0\r\n\r\n"),
    ),
    (
        "an empty part",
        GET,
        [FIRST, {"content": b"", "more_content": True}, {"content": b"b"}],
        answer(CHUNKED, body=b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"),
    ),
    (
        "parts with a length",
        GET,
        [{**FIRST, "headers": [[b"Content-Length", b"2"]]}, {"content": b"b"}],
        answer(LENGTH_2, body=b"ab"),
    ),
    (
        "parts in HTTP/1.0",
        OLD_KEPT,
        [FIRST, {"content": b"b"}],
        answer(b"Connection: close", body=b"ab"),
    ),
    ("HTTP/1.0", OLD, [OK], answer(LENGTH_2, b"Connection: close", body=b"ok")),
    (
        "HTTP/1.0 kept alive",
        OLD_KEPT,
        [OK],
        answer(LENGTH_2, b"Connection: keep-alive", body=b"ok"),
    ),
    (
        "a client that closes",
        GET[:-2] + b"Connection: close\r\n\r\n",
        [OK],
        answer(LENGTH_2, b"Connection: close", body=b"ok"),
    ),
    (
        "a site that closes",
        GET,
        [{**OK, "headers": [[b"Connection", b"Close"]]}],
        answer(LENGTH_2, b"Connection: close", body=b"ok"),
    ),
    (
        "accept",
        GET,
        [{"accept": True, "text": "ok"}],
        answer(TEXT, LENGTH_2, body=b"ok"),
    ),
    (
        "a refusal",
        GET,
        [{"accept": False}],
        answer(
            TEXT,
            b"Content-Length: 14",
            start=b"HTTP/1.1 403 Forbidden",
            body=b"403 Forbidden\n",
        ),
    ),
    ("close", GET, [{"close": True}], answer(TEXT, start=NO_CONTENT)),
    (
        "close after text",
        GET,
        [{"text": "ok", "close": True}],
        answer(TEXT, LENGTH_2, body=b"ok"),
    ),
    (
        "close with a status",
        GET,
        [{"close": 410}],
        answer(
            TEXT,
            b"Content-Length: 9",
            start=b"HTTP/1.1 410 Gone",
            body=b"410 Gone\n",
        ),
    ),
    (
        "close after a part",
        GET,
        [FIRST, {"close": True}],
        answer(CHUNKED, body=b"1\r\na\r\n0\r\n\r\n"),
    ),
]


@pytest.mark.parametrize(
    ("request_", "replies", "expected"),
    [pytest.param(*row[1:], id=row[0]) for row in ANSWERS],
)
def test_replies_become_answers(
    request_: bytes, replies: list[Content], expected: bytes
) -> None:
    client = Client()
    client.send(request_)

    for reply in replies:
        client.reply(reply)

    assert client.written.replace(DATE, b"") == expected
    assert client.hung_up is (b"Connection: close" in expected)
    assert len(client.all(End)) == 1


def test_a_server_header_is_written_unless_the_site_has_its_own() -> None:
    client = Client(HttpConfig(server_header="fairway"))

    client.send(GET * 2)
    client.reply(OK)
    client.reply({**OK, "headers": [[b"server", b"mine"], [b"date", b"never"]]})

    first, second = client.written.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert b"Server: fairway\r\n" in first
    assert DATE in first
    assert b"fairway" not in second
    assert b"server: mine\r\ndate: never\r\n" in second
    assert DATE not in second


# Replies that cannot be carried: (why, replies of which the last is wrong).
WRONG: list[tuple[str, list[Content]]] = [
    ("an unknown key", [{"staus": 200}]),
    ("a status that is no number", [{"status": "200"}]),
    ("a status below 200", [{"status": 101}]),
    ("a status of four digits", [{"status": 2000}]),
    ("a status that is True", [{"status": True}]),
    ("content that is text", [{**OK, "content": "ok"}]),
    ("text that is bytes", [{"text": b"ok"}]),
    ("text and bytes", [{"text": "a", "bytes": b"b"}]),
    ("headers that are no list", [{**OK, "headers": {"a": "b"}}]),
    ("a header that is no pair", [{**OK, "headers": [[b"a"]]}]),
    ("a header of text", [{**OK, "headers": [["a", "b"]]}]),
    ("a line end in a value", [{**OK, "headers": [[b"a", b"b\r\nc: d"]]}]),
    ("bare LF in a value", [{**OK, "headers": [[b"a", b"b\nc: d"]]}]),
    ("NUL in a value", [{**OK, "headers": [[b"a", b"\x00"]]}]),
    ("a colon in a name", [{**OK, "headers": [[b"a:", b"b"]]}]),
    ("a line end in a name", [{**OK, "headers": [[b"a\r\nb", b"c"]]}]),
    ("an empty name", [{**OK, "headers": [[b"", b"b"]]}]),
    ("a transfer coding", [{**OK, "headers": [[b"Transfer-Encoding", b"chunked"]]}]),
    ("a length that is wrong", [{**OK, "headers": [[b"Content-Length", b"3"]]}]),
    ("two lengths", [{**OK, "headers": [[b"Content-Length", b"2"]] * 2}]),
    ("a length that is no number", [{**OK, "headers": [[b"Content-Length", b"x"]]}]),
    ("a second status", [FIRST, OK]),
    ("headers after the head", [FIRST, {"headers": [[b"a", b"b"]], "content": b""}]),
    (
        "more than Content-Length",
        [{**FIRST, "headers": [[b"Content-Length", b"1"]]}, {"content": b"b"}],
    ),
    (
        "less than Content-Length",
        [{**FIRST, "headers": [[b"Content-Length", b"3"]]}, {"content": b"b"}],
    ),
]


@pytest.mark.parametrize("replies", [pytest.param(row[1], id=row[0]) for row in WRONG])
def test_a_reply_that_cannot_be_carried_ends_in_500_or_in_a_cut(
    replies: list[Content],
) -> None:
    client = Client()
    client.send(GET)
    for reply in replies[:-1]:
        client.reply(reply)
    before = client.written

    with pytest.raises(LocalProtocolError):
        client.reply(replies[-1])
    assert client.written == before
    client.did(client.mapping.failed(0.0))

    if len(replies) == 1:
        assert client.statuses == [500]
        assert not client.all(Abort)
    else:
        assert client.written == before
        assert client.all(Abort)


def test_a_consumer_may_cut_the_connection() -> None:
    client = Client()
    client.send(GET)
    client.reply(FIRST)

    client.reply({"abort": True})
    client.did(client.mapping.closed(0.0))

    assert client.all(Abort)
    assert not client.all(Leave)


# Credit.


def test_credit_is_given_for_each_part_that_is_taken() -> None:
    client = Client()
    client.send(GET)
    more: Content = {"content": b"b", "more_content": True}

    assert Send("c?1", {"credit": 1}) in client.reply(
        {**FIRST, "credit_channel": "c?1"}
    )
    assert Send("c?1", {"credit": 1}) in client.reply(more)


def test_credit_is_withheld_while_there_is_no_room() -> None:
    client = Client()
    client.send(GET)
    client.reply({**FIRST, "credit_channel": "c?1"})
    more: Content = {"content": b"b", "more_content": True}

    client.reply(more, room=False)
    client.reply(more, room=False)

    assert client.all(Send) == [Send("c?1", {"credit": 1})]
    assert client.mapping.room() == [Send("c?1", {"credit": 2})]
    assert client.mapping.room() == []


def test_a_producer_is_told_when_the_client_left() -> None:
    client = Client()
    client.send(GET)
    client.reply({**FIRST, "credit_channel": "c?1"})

    assert Send("c?1", {"closed": True}) in client.mapping.closed(0.0)


# Ends.


def test_a_client_that_leaves_before_its_answer_becomes_an_event() -> None:
    client = Client()
    client.send(GET)
    client.now = 2.0

    steps = client.mapping.closed(2.0)

    assert steps == [
        Leave("http.disconnect"),
        End("GET", b"/", 499, 2.0, "192.0.2.1:5"),
    ]


@pytest.mark.parametrize("data", [b"", b"GET", post(b"hello")[:-1], GET + GET])
def test_a_client_that_leaves_at_another_time_does_not(data: bytes) -> None:
    client = Client()
    client.send(data) if data else None
    for _ in client.all(Dispatch) * 2:
        client.reply(OK)

    assert not any(isinstance(s, Leave) for s in client.mapping.closed(0.0))


@pytest.mark.parametrize(
    ("why", "status"),
    [
        (Refusal.FULL, 503),
        (Refusal.UNAVAILABLE, 503),
        (Refusal.TOO_LARGE, 413),
        (Refusal.FAILED, 500),
        (Refusal.FILTERED, 403),
        (Refusal.LIMIT, 429),
    ],
)
def test_an_event_that_does_not_get_through_is_answered(
    why: Refusal, status: int
) -> None:
    client = Client()
    client.send(GET)

    client.did(client.mapping.refused(why, 0.0))

    assert client.statuses == [status]
    assert (b"Retry-After: " in client.written) is (status in (429, 503))
    assert not client.hung_up


def test_every_refusal_has_a_status() -> None:
    for why in Refusal:
        client = Client()
        client.send(GET)
        assert client.did(client.mapping.refused(why, 0.0))


@pytest.mark.parametrize(("full", "status"), [(True, 503), (False, 429)])
def test_a_limit_before_a_request_is_answered(full: bool, status: int) -> None:
    client = Client()
    client.send(GET)

    client.did(client.mapping.not_admitted(full, 0.0))

    assert client.statuses == [status]


def test_a_reply_after_the_end_is_ignored() -> None:
    client = Client()
    client.send(GET)
    client.mapping.closed(0.0)

    assert client.reply(OK) == []


# Time.


def test_a_connection_without_a_request_is_closed_silently() -> None:
    client = Client()

    assert client.mapping.next_deadline() == 10.0
    client.wait(10)

    assert client.written == b""
    assert client.hung_up


def test_a_head_that_does_not_end_is_answered_with_408() -> None:
    client = Client()
    client.send(b"GET")
    for _ in range(9):
        client.wait(1)
        client.send(b"x")

    client.wait(1)

    assert client.statuses == [408]
    assert client.hung_up


def test_a_body_that_stalls_is_answered_with_408() -> None:
    client = Client()
    client.send(post(b"hello")[:-3])
    client.wait(19)
    client.send(b"l")

    client.wait(19)
    assert client.statuses == []
    client.wait(1)

    assert client.statuses == [408]
    assert not client.all(Dispatch)


def test_a_worker_that_does_not_answer_is_answered_for_with_504() -> None:
    client = Client()
    client.send(GET)

    client.wait(59)
    assert client.statuses == []
    client.wait(1)

    assert client.statuses == [504]
    assert not client.hung_up


def test_an_answer_that_does_not_go_on_is_cut() -> None:
    client = Client()
    client.send(GET)
    client.reply(FIRST)

    client.wait(59)
    client.reply({"content": b"b", "more_content": True})
    client.wait(59)
    assert not client.all(Abort)
    client.wait(1)

    assert client.all(Abort)


def test_a_connection_may_be_idle_for_the_keep_alive_time() -> None:
    client = Client()
    client.send(GET)
    client.reply(OK)

    client.wait(29)
    assert not client.hung_up
    client.wait(1)

    assert client.hung_up


def test_a_connection_is_not_idle_while_its_client_still_takes_an_answer() -> None:
    client = Client()
    client.send(GET)
    client.reply({"bytes": b"x" * 1_000})

    client.wait(30, backlog=900)
    client.wait(30, backlog=100)

    assert not client.hung_up
    assert not client.all(Abort)


def test_a_client_that_takes_nothing_is_cut() -> None:
    client = Client()
    client.send(GET)
    client.reply({"bytes": b"x" * 1_000})

    client.wait(30, backlog=900)
    client.wait(30, backlog=900)

    assert client.all(Abort)


def test_a_mount_may_take_its_time() -> None:
    client = Client(mounts=[point("/")])

    client.send(GET)

    assert client.mapping.next_deadline() is None


# Stopping.


def test_a_server_that_stops_closes_idle_connections() -> None:
    client = Client()

    client.did(client.mapping.stop(0.0))

    assert client.hung_up


def test_a_server_that_stops_answers_what_is_in_flight() -> None:
    client = Client()
    client.send(GET + GET)
    client.did(client.mapping.stop(0.0))
    assert not client.hung_up

    client.reply(OK)
    assert b"Connection: close" not in client.written
    client.reply(OK)

    assert client.statuses == [200, 200]
    assert b"Connection: close" in client.written
    assert client.hung_up


def test_a_server_that_stops_takes_a_request_that_has_begun() -> None:
    client = Client()
    client.send(GET[:5])
    client.did(client.mapping.stop(0.0))

    client.send(GET[5:])
    client.reply(OK)

    assert client.statuses == [200]
    assert client.hung_up


# Mounts.


UPGRADE = GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def test_a_mounted_request_is_opened_when_its_head_is_complete() -> None:
    client = Client(mounts=[point("/")])

    client.send(post(b"hello")[:-5])

    (opened,) = client.all(Open)
    assert opened.head.method == "POST"
    assert not client.all(Dispatch)


def test_a_mount_gets_a_body_only_when_it_wants_it() -> None:
    client = Client(mounts=[point("/")])
    client.send(post(b"hello")[:-2])
    assert not client.all(Feed)

    client.did(client.mapping.want_body(5, 0.0))
    client.send(b"lo")

    assert client.all(Feed) == [Feed(b"hel"), Feed(b"lo")]
    assert client.all(EndBody) == [EndBody()]


def test_a_mount_may_ask_for_a_body_that_is_not_there() -> None:
    client = Client(mounts=[point("/")])
    client.send(GET)

    assert client.mapping.want_body(5, 0.0) == [EndBody()]


@pytest.mark.parametrize(
    "length", [b"Content-Length: 6", b"Transfer-Encoding: chunked"]
)
def test_a_body_above_a_mounts_limit_is_answered_by_http(length: bytes) -> None:
    client = Client(mounts=[point("/")])
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + length + b"\r\n\r\n")

    client.did(client.mapping.want_body(5, 0.0))
    client.send(b"6\r\nsixsix")

    assert client.statuses == [413]
    assert client.all(EndBody)[0].failure


def test_a_mount_answers_at_once_or_in_parts() -> None:
    client = Client(mounts=[point("/")])
    client.send(GET + GET)
    mapping = client.mapping

    client.did(mapping.begin_answer(200, [], b"ok", 0.0))
    client.did(mapping.begin_answer(200, [], None, 0.0))
    client.did(mapping.add_part(b"a", 0.0, last=False))
    client.did(mapping.add_part(b"", 0.0, last=True))

    assert client.written.replace(DATE, b"") == answer(LENGTH_2, body=b"ok") + answer(
        CHUNKED, body=b"1\r\na\r\n0\r\n\r\n"
    )
    assert len(client.all(End)) == 2


def test_an_answer_before_the_body_was_read_ends_the_connection() -> None:
    client = Client(mounts=[point("/")])
    client.send(post(b"hello")[:-5])

    client.did(client.mapping.begin_answer(403, [], b"no", 0.0))
    client.send(b"hello" + GET)

    assert b"Connection: close" in client.written
    assert client.statuses == [403]
    client.wait(2)
    assert client.hung_up


def test_an_upgrade_hands_over_what_came_early() -> None:
    client = Client(mounts=[point("/", upgrade="websocket")])
    client.send(UPGRADE + b"early")

    client.did(client.mapping.switch([(b"sec-websocket-accept", b"x")], 0.0))

    assert client.written == (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nsec-websocket-accept: x\r\n\r\n"
    )
    assert client.steps[-1] == Switch(b"early")
    assert client.all(End)[0].status == 101
    assert client.mapping.next_deadline() is None


def test_an_upgrade_that_is_denied_keeps_the_connection() -> None:
    client = Client(mounts=[point("/", upgrade="websocket")])
    client.send(UPGRADE + GET)

    client.did(client.mapping.begin_answer(403, [], b"no", 0.0))
    client.reply(OK)

    assert client.statuses == [403, 200]


def test_a_request_without_an_upgrade_cannot_be_upgraded() -> None:
    client = Client(mounts=[point("/")])
    client.send(GET)

    with pytest.raises(LocalProtocolError):
        client.mapping.switch([], 0.0)


def test_a_method_that_a_mount_does_not_take_is_answered_with_405() -> None:
    client = Client(mounts=[point("/", methods="POST PUT")])

    client.send(GET)

    assert client.statuses == [405]
    assert b"Allow: POST, PUT\r\n" in client.written
    assert not client.hung_up


# Properties.

WIRE = st.sampled_from(
    [GET, HEAD, OLD, UPGRADE, post(b"hello"), b"GET", b"\r\n", b"\x00", b"x" * 100]
)
REPLIES = st.sampled_from(
    [OK, FIRST, {"content": b"x"}, {"abort": True}, {"close": True}, {"pull_body": 2}]
)
WHAT = st.one_of(
    st.tuples(st.just("send"), WIRE),
    st.tuples(st.just("reply"), REPLIES),
    st.tuples(st.just("wait"), st.floats(0, 70)),
    st.tuples(st.just("refused"), st.sampled_from(list(Refusal))),
    st.tuples(st.just("stop"), st.none()),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(WHAT, max_size=20))
def test_whatever_happens_each_request_ends_once_and_nothing_follows_the_end(
    happenings: list[tuple[str, object]],
) -> None:
    client = Client()
    for what, argument in happenings:
        if client.hung_up or client.all(Abort):
            break
        match what, argument:
            case "send", bytes(data):
                client.send(data)
            case "reply", dict(content):
                try:
                    client.reply(content)
                except LocalProtocolError:
                    client.did(client.mapping.failed(client.now))
            case "wait", float(seconds):
                client.wait(seconds)
            case "refused", Refusal() as why:
                client.did(client.mapping.refused(why, client.now))
            case _:
                client.did(client.mapping.stop(client.now))
    client.did(client.mapping.closed(client.now))

    ends = len(client.all(End))
    assert ends >= len(client.all(Dispatch))
    assert ends >= len([code for code in client.statuses if code >= 200])
    assert not client.mapping.next_deadline() or client.all(Write)
