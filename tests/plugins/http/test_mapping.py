"""How requests on one connection become events, in order."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.kit import (
    LocalProtocolError,
    Refusal,
    Write,
)
from fairway.plugins.http.spec import INLINE_BODY, SPEC, HttpConfig
from fairway.plugins.http.steps import (
    Abort,
    Dispatch,
    End,
    Fetch,
    Flush,
    Hold,
    Leave,
    Send,
    Skipped,
    Store,
)
from tests.plugins.http.mapping_client import (
    DATE,
    FIRST,
    GET,
    HEAD,
    OK,
    OLD,
    UPGRADE,
    Client,
    answer,
    point,
    post,
)
from tests.support.examples import examples

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
    assert client.said_goodbye
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


@settings(max_examples=examples(200), deadline=None)
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
