"""Conversations over real sockets: what clients and consumers get of each other."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.loop import wait_until

from .conftest import Message, Served, echo

Serve = Callable[..., Served]


def test_text_and_bytes_go_both_ways_in_order(serve_polls: Serve) -> None:
    client = serve_polls().poller()
    client.begin()
    data = base64.b64encode(bytes(range(256))).decode()
    messages = ["höllo\r\n\0", "", {"bytes": data}, {"bytes": ""}]

    sent = client.send(*messages, first=1)

    assert sent.json() == {"received": 4}
    assert client.hear_all(4) == messages


def test_consumers_see_the_path_below_the_mount_and_the_request(
    serve_polls: Serve,
) -> None:
    served = serve_polls()

    served.poller("/poll/chat/?room=1").begin(x_wanted="yes")

    (connect,) = served.events("connect")
    assert (connect["path"], connect["query_string"]) == ("/chat/", b"room=1")
    assert [b"x-wanted", b"yes"] in connect["headers"]
    assert connect["peer"].startswith("longpoll:")


def test_a_waiting_request_is_answered_by_what_is_sent_to_its_group(
    serve_polls: Serve,
) -> None:
    served = serve_polls()
    clients = [served.poller() for _ in range(3)]
    for client in clients:
        client.begin()
    with ThreadPoolExecutor(3) as pool:
        heard = [pool.submit(client.hear) for client in clients]
        wait_until(lambda: len(served.protocol().waiting) == 3)

        served.broadcast("all", text="hello")

        assert [one.result(20) for one in heard] == [["hello"]] * 3


@pytest.mark.standard
def test_a_request_that_waited_long_enough_is_answered_empty(
    serve_polls: Serve,
) -> None:
    client = serve_polls(poll_timeout=0.1).poller()
    client.begin()

    assert client.poll().json() == {"messages": []}


def test_an_answer_that_got_lost_is_given_again(serve_polls: Serve) -> None:
    client = serve_polls().poller()
    client.begin()
    client.send("a", "b")
    client.after = len(client.hear())  # may be one of two

    lost = client.hear_all(2 - client.after) if client.after < 2 else None
    client.send("c")
    first = client.poll(2).json()
    again = client.poll(2).json()

    assert lost in (None, ["b"])
    assert first == again == {"first": 3, "messages": ["c"]}


def test_messages_that_are_sent_again_are_taken_once(serve_polls: Serve) -> None:
    served = serve_polls()
    client = served.poller()
    client.begin()

    assert client.send("a", "b", first=1).json() == {"received": 2}
    assert client.send("a", "b", "c", first=1).json() == {"received": 3}
    assert client.send("c", first=3).json() == {"received": 3}

    assert client.hear_all(3) == ["a", "b", "c"]
    assert [one["text"] for one in served.events("receive")] == ["a", "b", "c"]


def test_a_gap_is_refused_with_the_number_to_go_on_from(serve_polls: Serve) -> None:
    client = serve_polls().poller()
    client.begin()

    answer = client.send("c", first=3)

    assert answer.status_code == 409
    assert answer.json() == {"error": "messages are missing", "received": 0}


def test_what_a_client_said_that_it_has_is_gone(serve_polls: Serve) -> None:
    client = serve_polls().poller()
    client.begin()
    client.send("a")
    client.hear()
    client.send("b")
    client.hear()

    assert client.poll(0).status_code == 410
    assert client.poll(7).status_code == 400


def test_a_second_request_takes_the_place_of_the_first(serve_polls: Serve) -> None:
    served = serve_polls()
    client, same = served.poller(), served.poller()
    client.begin()
    same.token = client.token
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.poll)
        wait_until(lambda: len(served.protocol().waiting) == 1)
        same.send("x")
        same_heard = same.hear() if first.done() else []
        assert same_heard in ([], ["x"])
        assert first.result(20).status_code in (200, 409)


def refuse(served: Served, message: Message) -> None:
    served.reply(message, **REFUSALS[message["path"]][0])


REFUSALS: dict[str, tuple[dict[str, Any], int]] = {
    "/no/": ({"accept": False}, 403),
    "/close/": ({"close": True}, 403),
    "/absent/": ({"close": 4404}, 404),
    "/failed/": ({"close": 1011}, 500),
    "/wrong/": ({"text": 7}, 500),
}


@pytest.mark.parametrize("path", REFUSALS)
def test_a_consumer_may_refuse(serve_polls: Serve, path: str) -> None:
    served = serve_polls(refuse)

    answer = served.poller(f"/poll{path}").begin()

    assert answer.status_code == REFUSALS[path][1]
    assert not served.events("disconnect")


def ignore(served: Served, message: Message) -> None:
    """Decide nothing."""


@pytest.mark.standard
def test_a_connect_that_nobody_decides_is_refused_in_time(serve_polls: Serve) -> None:
    served = serve_polls(ignore, handshake_timeout=0.1)

    answer = served.poller().begin()

    assert answer.status_code == 504
    (disconnect,) = served.wait_for("disconnect")
    assert disconnect["code"] == 1006
    assert served.dropped("longpoll", "undecided") == 1


def test_a_message_before_accept_accepts(serve_polls: Serve) -> None:
    def greet(served: Served, message: Message) -> None:
        if message["channel"] == "longpoll.connect":
            served.reply(message, text="welcome")

    client = serve_polls(greet).poller()

    assert client.begin().status_code == 200
    assert client.hear() == ["welcome"]


def test_the_consumers_close_comes_behind_its_messages(serve_polls: Serve) -> None:
    def greet(served: Served, message: Message) -> None:
        if message["channel"] == "longpoll.connect":
            served.reply(message, accept=True, text="bye", close=4001)

    served = serve_polls(greet)
    client = served.poller()
    client.begin()

    body = client.poll().json()

    assert body["messages"] == ["bye"]
    assert body["close"] == {"code": 4001, "reason": ""}
    assert client.poll().json() == body  # in case that the first one got lost
    (disconnect,) = served.wait_for("disconnect")
    assert disconnect["code"] == 4001


def test_the_clients_close_reaches_the_consumer(serve_polls: Serve) -> None:
    served = serve_polls()
    client = served.poller()
    client.begin()

    client.send("last", close={"code": 3999, "reason": "enough"})

    (disconnect,) = served.wait_for("disconnect")
    assert (disconnect["code"], disconnect["reason"]) == (3999, "enough")
    assert [one["text"] for one in served.events("receive")] == ["last"]
    assert client.poll().status_code == 410


@pytest.mark.standard
def test_a_client_that_stays_away_has_left(serve_polls: Serve) -> None:
    served = serve_polls(idle_timeout=0.1)
    client = served.poller()
    client.begin()

    (disconnect,) = served.wait_for("disconnect")

    assert disconnect["code"] == 1006
    assert client.poll().status_code == 410
    wait_until(lambda: served.loop.call(lambda: not served.protocol()._sessions))


def test_a_stream_carries_messages_one_line_each(serve_polls: Serve) -> None:
    served = serve_polls()
    client = served.poller()
    client.begin()
    evil = "a\rid: 9\n\ndata: b\0\u2028\x85"
    with client.stream() as lines:
        assert next(lines) == ":"
        client.send(evil, {"bytes": "AP8="})
        read = [line for line in (next(lines) for _ in range(7)) if line]
        assert read[0] == "id: 1"
        assert json.loads(read[1].removeprefix("data: ")) == evil
        assert read[2:4] == ["id: 2", 'data: {"bytes":"AP8="}']


def test_a_stream_resumes_behind_the_last_event_that_arrived(
    serve_polls: Serve,
) -> None:
    served = serve_polls()
    client = served.poller()
    client.begin()
    with client.stream() as lines:
        client.send("1", "2")
        while next(lines) != 'data: "2"':
            pass
    client.send("3")

    with client.stream(last_event_id="1") as lines:
        data = [next(lines) for _ in range(8)]

    assert [one for one in data if one.startswith("data")] == ['data: "2"', 'data: "3"']


def test_a_stream_that_missed_too_much_is_told_so(serve_polls: Serve) -> None:
    served = serve_polls(resume_messages=1)
    client = served.poller()
    client.begin()
    with client.stream() as lines:
        client.send("1", "2", "3")
        while next(lines) != 'data: "3"':
            pass

    assert client.poll(1).status_code == 410


@pytest.mark.standard
def test_an_open_stream_shows_that_it_lives_and_ends_with_the_close(
    serve_polls: Serve,
) -> None:
    served = serve_polls(poll_timeout=0.1)
    client = served.poller()
    client.begin()
    with client.stream() as lines:
        assert [next(lines) for _ in range(4)] == [":", "", ":", ""]
        (connect,) = served.events("connect")
        served.reply(connect, close=True)
        rest = list(lines)

    assert rest[-3:-1] == ["event: close", 'data: {"code":1000,"reason":""}']


@pytest.mark.parametrize(
    "limits", [{"max_unread": 3}, {"limits": {"unsent_bytes": 100}}]
)
def test_a_client_for_which_too_much_waits_is_ended_with_1013(
    serve_polls: Serve, limits: dict[str, Any]
) -> None:
    served = serve_polls(**limits)
    client = served.poller()
    client.begin()
    for _ in range(10):
        served.broadcast("all", text="x" * 50)

    (disconnect,) = served.wait_for("disconnect")

    assert disconnect["code"] == 1013
    assert served.dropped("longpoll", "slow") == 1
    assert client.poll().json()["close"]["code"] == 1013


@pytest.mark.standard
def test_who_sends_more_than_workers_take_gets_no_answer_meanwhile(
    serve_polls: Serve,
) -> None:
    client = serve_polls(limits={"messages_per_second": 10}).poller()
    client.begin()
    many = [str(n) for n in range(20)]

    client.send(*many, first=1)
    late = client.send("late", first=21)

    assert late.elapsed.total_seconds() > 0.3
    assert client.hear_all(21) == [*many, "late"]


def test_a_server_that_stops_says_so_at_once(serve_polls: Serve) -> None:
    served = serve_polls()
    client = served.poller()
    client.begin()
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(client.poll)
        wait_until(lambda: len(served.protocol().waiting) == 1)
        served.loop.run(served.servers[0].stop(5.0))

    assert heard.result(20).json()["close"] == {"code": 1012, "reason": "restarting"}
    assert served.wait_for("disconnect")[0]["code"] == 1012


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"messages": [1]}', 400),
        (b'{"messages": [["a"]]}', 400),
        (b'{"messages": ["\\ud800"]}', 400),
        (b'{"messages": ["\xff"]}', 400),
        (b'{"messages": [{"bytes": "*"}]}', 400),
        (b'{"other": 1}', 400),
        (b'{"first": 0}', 400),
        (b'{"close": {"code": 1001}}', 400),
        (b"[" * 100_000, 400),
        (b'{"messages": [%b""]}' % (b'"",' * 100), 413),
        (b'{"messages": ["%b"]}' % (b"x" * 1_000_000), 413),
    ],
)
def test_a_wrong_body_is_refused_and_the_conversation_goes_on(
    serve_polls: Serve, body: bytes, status: int
) -> None:
    client = serve_polls().poller()
    client.begin()

    assert client.post(body).status_code == status

    client.send("still here")
    assert client.hear() == ["still here"]


def test_no_token_shows_in_any_log(
    serve_polls: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = serve_polls().poller()
    client.begin()
    tag = client.token.rpartition("!")[2]
    client.send("a")
    httpx.get(f"{client.url}?token={client.token}", trust_env=False)
    client.http.get(client.url, headers={"fairway-token": client.token[:-1] + "x"})

    ours = [one for one in caplog.records if not one.name.startswith("http")]
    assert ours
    assert not [one for one in ours if tag in one.getMessage()]


def test_every_turn_is_a_line_of_the_access_log(
    serve_polls: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "fairway.access")
    served = serve_polls()
    client = served.poller("/poll/a%1bb/")
    client.begin()
    client.send(close={})
    served.wait_for("disconnect")

    lines = [one for one in caplog.messages if "poll" not in one]
    assert lines == [
        r"CONNECT /a\x1bb/",
        r"ACCEPT /a\x1bb/ 200",
        r"DISCONNECT /a\x1bb/ 1000",
    ]


def test_one_failing_client_costs_the_others_nothing(serve_polls: Serve) -> None:
    served = serve_polls(echo)
    broken, client = served.poller(), served.poller()
    broken.begin()
    client.begin()
    first = served.loop.call(lambda: next(iter(served.protocol()._sessions.values())))
    first._mapping = None

    served.broadcast("all", text="hello")

    assert client.hear() == ["hello"]
