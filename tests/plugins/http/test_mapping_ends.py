"""How a connection ends, keeps time, stops, and serves mounts."""

from __future__ import annotations

import pytest

from fairway.kit import (
    LocalProtocolError,
    Refusal,
)
from fairway.plugins.http.spec import HttpConfig
from fairway.plugins.http.steps import (
    Abort,
    Dispatch,
    End,
    EndBody,
    Feed,
    Leave,
    Open,
    Switch,
)
from tests.plugins.http.mapping_client import (
    CHUNKED,
    DATE,
    FIRST,
    GET,
    LENGTH_2,
    OK,
    UPGRADE,
    Client,
    answer,
    point,
    post,
)

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
    assert client.said_goodbye


def test_a_client_that_still_sends_may_read_why_for_a_bounded_time() -> None:
    client = Client()
    client.send(b"\x00")
    for _ in range(29):
        client.wait(1)
        client.send(b"more")
        assert not client.hung_up

    client.wait(1)

    assert client.statuses == [400]
    assert client.hung_up


def test_a_client_that_reads_slowly_gets_the_rest_of_its_last_answer() -> None:
    client = Client()
    client.send(b"\x00")

    client.wait(2, backlog=100)
    assert not client.hung_up
    client.wait(2)

    assert client.hung_up


def test_a_server_that_stops_waits_shortly_for_a_client_that_still_sends() -> None:
    client = Client()
    client.send(b"\x00")
    client.did(client.mapping.stop(0.0))
    client.wait(1)
    client.send(b"more")

    client.wait(1)

    assert client.hung_up


def test_a_client_that_said_that_it_sends_no_more_is_hung_up_on_at_once() -> None:
    client = Client()

    client.send(GET[:-2] + b"Connection: close\r\n\r\n")
    client.reply(OK)

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

    client.wait(299)
    client.reply({"content": b"b", "more_content": True})
    client.wait(299)
    assert not client.all(Abort)
    client.wait(1)

    assert client.all(Abort)


def test_an_endless_answer_may_be_silent_where_the_site_says_so() -> None:
    client = Client(HttpConfig(part_timeout=float("inf")))
    client.send(GET)
    client.reply(FIRST)

    client.wait(1_000_000)

    assert not client.all(Abort)


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


def test_a_server_that_stops_answers_a_request_that_was_on_its_way() -> None:
    client = Client()
    client.send(GET)
    client.reply(OK)
    client.did(client.mapping.stop(client.now, 2.0))
    assert not client.hung_up

    client.send(GET)
    client.reply(OK)

    assert client.statuses == [200, 200]
    assert client.written.count(b"Connection: close") == 1
    assert client.said_goodbye


def test_a_server_that_stops_closes_connections_that_stay_idle() -> None:
    client = Client()
    client.did(client.mapping.stop(client.now, 2.0))
    assert client.mapping.next_deadline() == client.now + 2.0

    client.now += 2.0
    client.did(client.mapping.deadline_passed(client.now, 0))

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
    assert client.said_goodbye


def test_a_server_that_stops_takes_a_request_that_has_begun() -> None:
    client = Client()
    client.send(GET[:5])
    client.did(client.mapping.stop(0.0))

    client.send(GET[5:])
    client.reply(OK)

    assert client.statuses == [200]
    assert client.said_goodbye


# Mounts.


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
