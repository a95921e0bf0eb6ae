"""How replies become answers on one connection."""

from __future__ import annotations

import pytest

from fairway.kit import (
    Content,
    LocalProtocolError,
)
from fairway.plugins.http.spec import HttpConfig
from fairway.plugins.http.steps import (
    Abort,
    End,
    Leave,
    Send,
)
from tests.plugins.http.mapping_client import (
    BINARY,
    CHUNKED,
    DATE,
    FIRST,
    GET,
    HEAD,
    LENGTH_2,
    NO_CONTENT,
    OK,
    OLD,
    OLD_KEPT,
    TEXT,
    Client,
    answer,
)

# Answers: (request, reply or replies, what is written but for Date).
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
        "text in parts",
        GET,
        [{"text": "a", "more_content": True}, {"text": "b"}],
        answer(TEXT, CHUNKED, body=b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"),
    ),
    (
        "bytes in parts",
        GET,
        [{"bytes": b"a", "more_content": True}, {"bytes": b"b"}],
        answer(BINARY, CHUNKED, body=b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"),
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
    assert client.said_goodbye is (b"Connection: close" in expected)
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


@pytest.mark.parametrize("byte", [*range(9), *range(10, 32), 0x7F])
def test_no_byte_that_ends_lines_leaves_in_a_header(byte: int) -> None:
    client = Client()
    client.send(GET)

    with pytest.raises(LocalProtocolError):
        client.reply({**OK, "headers": [[b"a", b"b%cc" % byte]]})

    assert client.written == b""


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
