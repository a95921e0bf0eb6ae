"""Bytes of a connection to events: what is read, what is refused, how it is cut."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.plugins.http.head import Head
from fairway.plugins.http.parser import (
    BodyReceived,
    Malformed,
    RequestCompleted,
    RequestParser,
    WireEvent,
)
from fairway.plugins.http.remembered import Remembered
from fairway.plugins.http.spec import HttpConfig
from tests.support.examples import examples

CONFIG = HttpConfig()
SMALL = HttpConfig(max_request_line=64, max_header_bytes=128, max_header_fields=4)


def parse(parts: Iterable[bytes], config: HttpConfig = CONFIG) -> list[WireEvent]:
    """Return the events, adjacent parts of a body joined."""
    parser = RequestParser(config)
    events: list[WireEvent] = []
    for part in parts:
        parser.receive(part)
        while (event := parser.next_event()) is not None:
            last = events[-1] if events else None
            if isinstance(event, BodyReceived) and isinstance(last, BodyReceived):
                events[-1] = BodyReceived(last.data + event.data)
            else:
                events.append(event)
    return events


def head(data: bytes) -> Head:
    event = parse([data])[0]
    assert isinstance(event, Head), event
    return event


def status(data: bytes, config: HttpConfig = CONFIG) -> int:
    """Return the status that refuses the last thing in `data`, 0 for none."""
    last = parse([data], config)[-1]
    return last.status if isinstance(last, Malformed) else 0


def request(*lines: bytes, start: bytes = b"GET / HTTP/1.1") -> bytes:
    return b"\r\n".join([start, b"Host: a", *lines, b"", b""])


def post(*lines: bytes) -> bytes:
    return request(*lines, start=b"POST / HTTP/1.1")


def with_host(*hosts: bytes, start: bytes = b"GET / HTTP/1.1") -> bytes:
    lines = [b"Host: " + host for host in hosts]
    return b"\r\n".join([start, *lines, b"", b""])


CHUNKED = post(b"Transfer-Encoding: chunked")

# What is refused, and how: (name, bytes, status).
REFUSED = [
    # The request line.
    ("no version", b"GET /\r\nHost: a\r\n\r\n", 400),
    ("two spaces before the target", request(start=b"GET  / HTTP/1.1"), 400),
    ("two spaces after the target", request(start=b"GET /  HTTP/1.1"), 400),
    ("a space at the end", request(start=b"GET / HTTP/1.1 "), 400),
    ("a space in the target", request(start=b"GET /a b HTTP/1.1"), 400),
    ("a tab for a space", request(start=b"GET\t/ HTTP/1.1"), 400),
    ("a space in front", request(start=b" GET / HTTP/1.1"), 400),
    ("non-ASCII in the target", request(start=b"GET /\xc3\xa4 HTTP/1.1"), 400),
    ("a control byte in the target", request(start=b"GET /\x01 HTTP/1.1"), 400),
    ("a fragment", request(start=b"GET /a#b HTTP/1.1"), 400),
    ("no slash in front", request(start=b"GET a HTTP/1.1"), 400),
    ("asterisk-form", request(start=b"OPTIONS * HTTP/1.1"), 400),
    ("another scheme", request(start=b"GET ftp://a/ HTTP/1.1"), 400),
    ("lower-case method", request(start=b"get / HTTP/1.1"), 501),
    ("an unknown method", request(start=b"BREW / HTTP/1.1"), 501),
    ("CONNECT", request(start=b"CONNECT a:80 HTTP/1.1"), 501),
    ("HTTP/0.9", request(start=b"GET / HTTP/0.9"), 505),
    ("HTTP/1.2", request(start=b"GET / HTTP/1.2"), 505),
    ("HTTP/2.0", request(start=b"GET / HTTP/2.0"), 505),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("lower-case HTTP", request(start=b"GET / http/1.1"), 400),
    ("another protocol", request(start=b"GET / RTSP/1.0"), 400),
    ("a hello of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("two empty lines in front", b"\r\n\r\n" + request(), 400),
    # Line ends.
    ("bare LF everywhere", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    ("bare LF after the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    ("bare LF after a field", request(b"A: b\nC: d"), 400),
    ("bare CR in a value", request(b"A: b\rC: d"), 400),
    ("CR CR LF", request(b"A: b\r"), 400),
    ("an obsolete fold", request(b"A: b", b" c"), 400),
    ("an obsolete fold by a tab", request(b"A: b", b"\tc"), 400),
    ("a fold before the first field", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    # Header fields.
    ("a space before the colon", request(b"A : b"), 400),
    ("a tab before the colon", request(b"A\t: b"), 400),
    ("no colon", request(b"A"), 400),
    ("no name", request(b": b"), 400),
    ("a space in a name", request(b"A b: c"), 400),
    ("non-ASCII in a name", request(b"A\xc3\xa4: b"), 400),
    ("a parenthesis in a name", request(b"A(: b"), 400),
    *(
        (f"byte {byte:#04x} in a value", request(b"A: b%cd" % byte), 400)
        for byte in [*range(9), *range(10, 32), 0x7F, 0x85]
    ),
    # Host.
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", with_host(b"a", b"a"), 400),
    ("two Hosts in HTTP/1.0", with_host(b"a", b"a", start=b"GET / HTTP/1.0"), 400),
    *(
        (f"Host {host!r}", with_host(host), 400)
        for host in (
            b"",
            b"a b",
            b"a,b",
            b"a/b",
            b"a@b",
            b"a?b",
            b"a#b",
            b"a\\b",
            b"http://a",
            b"a:b",
            b"a:",
            b"a:-1",
            b"a:65536",
            b"a:123456",
            b":80",
            b"[::1",
            b"::1",
            b"[]",
            b"[1.2.3.4]",
            b"[::g]",
            b"[::1]a",
            b"a%20b",
            b"\xc3\xa4",
        )
    ),
    ("an invalid Host in HTTP/1.0", with_host(b"a b", start=b"GET / HTTP/1.0"), 400),
    ("a target of another host", request(start=b"GET http://b/ HTTP/1.1"), 400),
    ("a target with a user", request(start=b"GET http://u@a/ HTTP/1.1"), 400),
    ("a target without a host", request(start=b"GET http:///x HTTP/1.1"), 400),
    # How long the body is.
    (
        "length and coding",
        post(b"Content-Length: 1", b"Transfer-Encoding: chunked"),
        400,
    ),
    (
        "coding and length",
        post(b"Transfer-Encoding: chunked", b"Content-Length: 1"),
        400,
    ),
    ("two lengths", post(b"Content-Length: 1", b"Content-Length: 2"), 400),
    ("two equal lengths", post(b"Content-Length: 1", b"Content-Length: 1"), 400),
    ("a list of lengths", post(b"Content-Length: 1, 1"), 400),
    *(
        (f"length {value!r}", post(b"Content-Length: " + value), 400)
        for value in (
            b"",
            b"+1",
            b"-1",
            b"0x1",
            b"1_0",
            b"1.0",
            b"1 0",
            b"\xb2",
            b"1" * 19,
            b"9" * 40,
        )
    ),
    ("a coding before chunked", post(b"Transfer-Encoding: gzip, chunked"), 501),
    # Without chunked at the end nobody knows where it is (RFC 9112 section 6.3).
    *(
        (f"coding {value!r}", post(b"Transfer-Encoding: " + value), 400)
        for value in (b"identity", b"xchunked", b'"chunked"', b"chunked, gzip", b"")
    ),
    ("chunked twice", post(b"Transfer-Encoding: chunked, chunked"), 400),
    ("two codings", post(*[b"Transfer-Encoding: chunked"] * 2), 400),
    ("a coding after VT", post(b"Transfer-Encoding: \x0bchunked"), 400),
    (
        "a coding in HTTP/1.0",
        request(b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.0"),
        400,
    ),
    # Chunks.
    ("a chunk without a size", CHUNKED + b"\r\n", 400),
    ("a size that is no number", CHUNKED + b"g\r\n", 400),
    ("a size with 0x", CHUNKED + b"0x1\r\na\r\n", 400),
    ("a negative size", CHUNKED + b"-1\r\n", 400),
    ("a size with a sign", CHUNKED + b"+1\r\na\r\n", 400),
    ("a size with an underscore", CHUNKED + b"1_0\r\n", 400),
    ("a size beyond 64 bits", CHUNKED + b"1" + b"0" * 16 + b"\r\n", 400),
    ("a space after the size", CHUNKED + b"1 \r\na\r\n", 400),
    ("a space before the size", CHUNKED + b" 1\r\na\r\n", 400),
    ("bare LF after the size", CHUNKED + b"1\na\r\n0\r\n\r\n", 400),
    ("bare LF in an extension", CHUNKED + b"1;a\nb\r\na\r\n", 400),
    ("a control byte in an extension", CHUNKED + b"1;\x00\r\na\r\n", 400),
    ("no line end after the data", CHUNKED + b"1\r\nab\r\n", 400),
    ("bare LF after the data", CHUNKED + b"1\r\na\n0\r\n\r\n", 400),
    ("an endless extension", CHUNKED + b"1;" + b"a" * 2_000, 400),
    ("many extensions", CHUNKED + (b"1;" + b"a" * 900 + b"\r\na\r\n") * 20, 400),
    ("a trailer that is none", CHUNKED + b"0\r\na b\r\n\r\n", 400),
    ("bare LF in a trailer", CHUNKED + b"0\r\na: b\n\r\n\r\n", 400),
    ("an endless trailer", CHUNKED + b"0\r\na: " + b"b" * 2_000, 400),
    ("many trailers", CHUNKED + b"0\r\n" + (b"a: " + b"b" * 900 + b"\r\n") * 10, 400),
    # Expectations.
    ("another expectation", post(b"Expect: tea", b"Content-Length: 1"), 417),
]


@pytest.mark.parametrize(
    ("data", "expected"),
    [pytest.param(data, code, id=name) for name, data, code in REFUSED],
)
def test_what_breaks_the_grammar_is_refused(data: bytes, expected: int) -> None:
    assert status(data) == expected


# What is not refused although it looks odd.
TAKEN = [
    ("an empty line in front", b"\r\n" + request()),
    ("no space after the colon", request(b"A:b")),
    ("an empty value", request(b"A:")),
    ("a tab in a value", request(b"A: b\tc")),
    ("Latin-1 in a value", request(b"A: \xe4")),
    ("an IPv6 Host", with_host(b"[::1]:80")),
    ("a Host with an underscore", with_host(b"web_1:8000")),
    ("HTTP/1.0 without a Host", b"GET / HTTP/1.0\r\n\r\n"),
    ("a target with its host", request(start=b"GET http://A/ HTTP/1.1")),
    ("unescaped braces", request(start=b'GET /{a}|"b"?c=[d] HTTP/1.1')),
    ("Chunked in capitals", post(b"Transfer-Encoding: CHUNKED") + b"0\r\n\r\n"),
    ("a chunk extension", CHUNKED + b'1;a="b"\r\na\r\n0\r\n\r\n'),
    ("a size with zeros", CHUNKED + b"0001\r\na\r\n000\r\n\r\n"),
    ("a trailer", CHUNKED + b"0\r\nA: b\r\n\r\n"),
]


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in TAKEN])
def test_what_the_grammar_allows_is_taken(data: bytes) -> None:
    assert status(data) == 0


def test_a_head_is_read_with_lower_case_names_in_the_order_of_the_wire() -> None:
    data = b"PUT /a%20b?c=d%20 HTTP/1.1\r\nHost: a\r\nX-A: 1 \t\r\nX-a:  2\r\n\r\n"

    found = head(data)

    assert (found.method, found.http_version, found.length) == ("PUT", "1.1", 0)
    assert (found.path, found.raw_path) == ("/a b", b"/a%20b")
    assert found.query_string == b"c=d%20"
    assert found.headers == [(b"host", b"a"), (b"x-a", b"1"), (b"x-a", b"2")]


class _Listener:
    """What llhttp calls for each field."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.rstrip(b" \t")))


# What llhttp is asked for a second opinion about.
STARTS = st.sampled_from([b"GET / HTTP/1.1", b"PUT http://a/?b HTTP/1.1"]) | st.builds(
    b"%b /%b HTTP/1.1".__mod__,
    st.tuples(
        st.sampled_from([b"GET", b"M-SEARCH", b"SOURCE", b"QUERY", b"BREW", b"PRI"]),
        st.binary(max_size=4),
    ),
)
LINES = st.lists(
    st.binary(max_size=12)
    | st.binary(max_size=8).map(b"X-%b: a".__mod__)
    | st.sampled_from([b"A: b", b" c", b"A : b", b"Content-Length: 1", b"Upgrade: a"])
)


@settings(max_examples=examples(300), deadline=None)
@given(STARTS, LINES)
def test_what_is_taken_llhttp_takes_and_cuts_alike(
    start: bytes, lines: list[bytes]
) -> None:
    data = request(*lines, start=start)
    event = parse([data])[0]

    if isinstance(event, Head):
        listener = _Listener()
        with suppress(httptools.HttpParserUpgrade):
            end = data.index(b"\r\n\r\n") + 4
            httptools.HttpRequestParser(listener).feed_data(data[:end])
        kept = [field for field in listener.fields if b"_" not in field[0]]
        assert event.headers == kept


def test_a_line_is_remembered_unless_it_is_secret_or_long_and_never_too_many() -> None:
    read: list[bytes] = []

    def count(line: bytes) -> bytes:
        read.append(line)
        return line

    table = Remembered(count, lambda line: line == b"secret")
    for line in (b"a", b"secret", b"b" * 257):
        assert [table[line], table[line]] == [line, line]

    assert read == [b"a", b"secret", b"secret", b"b" * 257, b"b" * 257]
    for number in range(3_000):
        table[b"%d" % number]
    assert len(table) <= 1_024


def test_a_path_that_is_not_utf_8_keeps_its_raw_form() -> None:
    found = head(request(start=b"GET /%ff%C3%A4 HTTP/1.1"))

    assert found.path == "/\ufffdä"
    assert found.raw_path == b"/%ff%C3%A4"


def test_absolute_form_is_cut_down_to_its_path() -> None:
    found = head(request(start=b"GET http://a?b HTTP/1.1"))

    assert (found.raw_path, found.query_string) == (b"/", b"b")


def test_names_with_an_underscore_are_dropped_and_counted() -> None:
    found = head(request(b"X_Real_IP: 1", b"X-Real-IP: 2", b"content_length: 5"))

    assert found.headers == [(b"host", b"a"), (b"x-real-ip", b"2")]
    assert (found.dropped, found.length) == (2, 0)


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"close", False),
        (b"1.1", b"Foo, Close", False),
        (b"1.1", b"keep-alive", True),
        (b"1.0", b"", False),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"keep-alive, close", False),
    ],
)
def test_the_version_and_connection_say_whether_more_may_follow(
    version: bytes, connection: bytes, keep_alive: bool
) -> None:
    data = request(b"Connection: " + connection, start=b"GET / HTTP/" + version)

    assert head(data).keep_alive is keep_alive


UPGRADE = (b"Connection: keep-alive, Upgrade", b"Upgrade: WebSocket")


@pytest.mark.parametrize(
    ("data", "upgrade"),
    [
        (request(*UPGRADE), "websocket"),
        (request(UPGRADE[1]), ""),
        (request(UPGRADE[0]), ""),
        (request(UPGRADE[0], b"Upgrade: h2c"), ""),
        (request(UPGRADE[0], b"Upgrade: h2c, websocket"), ""),
        (request(*UPGRADE, start=b"GET / HTTP/1.0"), ""),
        (request(*UPGRADE, b"Content-Length: 1"), ""),
    ],
)
def test_an_upgrade_to_websocket_is_recognised(data: bytes, upgrade: str) -> None:
    assert head(data).upgrade == upgrade


def test_bytes_after_an_upgrade_are_left_for_the_other_protocol() -> None:
    parser = RequestParser(CONFIG)

    parser.receive(request(*UPGRADE) + b"\x81\x00early")
    parser.next_event()

    assert parser.buffered == 7
    assert parser.leftover() == b"\x81\x00early"
    assert parser.buffered == 0


@pytest.mark.parametrize(
    ("version", "length", "expects"),
    [(b"1.1", b"1", True), (b"1.1", b"0", False), (b"1.0", b"1", False)],
)
def test_100_continue_is_expected_by_http_1_1_with_a_body(
    version: bytes, length: bytes, expects: bool
) -> None:
    lines = (b"Expect: 100-Continue", b"Content-Length: " + length)

    found = head(request(*lines, start=b"POST / HTTP/" + version))

    assert found.expects_continue is expects


def test_a_body_by_length_ends_where_it_says() -> None:
    data = post(b"Content-Length: 5") + b"hello" + request()

    events = parse([data])

    assert events[1:3] == [BodyReceived(b"hello"), RequestCompleted()]
    assert isinstance(events[3], Head)


def test_a_body_in_chunks_is_joined_and_its_trailers_are_dropped() -> None:
    data = CHUNKED + b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n" + request()

    events = parse([data])

    assert events[1:3] == [BodyReceived(b"hello!"), RequestCompleted()]
    assert isinstance(events[3], Head)


def test_requests_before_a_broken_one_are_read_and_none_after_it() -> None:
    events = parse([request() + request() + b"\x00\r\n\r\n" + request()])

    kinds = [type(event) for event in events]
    assert kinds == [Head, Head, Malformed]


def line_of(length: int) -> bytes:
    return b"GET /" + b"a" * (length - 14) + b" HTTP/1.1"


def block_of(size: int) -> bytes:
    """Return a request whose header fields have `size` bytes, line ends included."""
    return b"GET / HTTP/1.1\r\nHost: a\r\nA: %b\r\n\r\n" % (b"b" * (size - 14))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (request(start=line_of(64)), 0),
        (request(start=line_of(65)), 414),
        (line_of(64), 0),
        (line_of(66), 414),
        (b"GET /" + b"a" * 1000, 414),
        (block_of(130), 0),
        (block_of(131), 431),
        (request(b"A: " + b"b" * 1000), 431),
        (request()[:-2] + b"A: " + b"b" * 1000, 431),
        (request(b"A:", b"A:", b"A:"), 0),
        (request(b"A:", b"A:", b"A:", b"A:"), 431),
    ],
)
def test_limits_count_raw_bytes(data: bytes, expected: int) -> None:
    events = parse([data], SMALL)

    found = events[-1] if events else None
    assert (found.status if isinstance(found, Malformed) else 0) == expected


def test_an_error_names_no_byte_of_the_client() -> None:
    events = parse([request(b"X-Secret\x00: evil")])

    assert isinstance(events[-1], Malformed)
    assert "evil" not in events[-1].reason
    assert "Secret" not in events[-1].reason


def test_bytes_do_not_pile_up_when_requests_never_end_with_a_read() -> None:
    parser = RequestParser(CONFIG)
    data = request()
    parser.receive(data[:10])

    for _ in range(1_000):
        parser.receive(data[10:] + data[:10])
        while parser.next_event() is not None:
            pass

    assert parser.buffered == 10
    assert len(parser._buffer) < 4 * len(data)


PIPELINES = [
    request(b"A: b") + post(b"Content-Length: 3") + b"abc" + CHUNKED + b"1\r\na\r\n"
    b"0\r\n\r\n" + request(b"Connection: close"),
    b"\r\n" + request() + b"\r\n" + request(),
    CHUNKED + b"3;e=f\r\na\r\n\r\n2\r\n\r\n\r\n0\r\nT: u\r\n\r\n" + request(),
    request(*UPGRADE),
]
EVERYTHING = [*PIPELINES, *(data for _, data, _ in REFUSED if len(data) < 300)]


@pytest.mark.parametrize("data", EVERYTHING)
def test_events_do_not_depend_on_where_the_bytes_are_cut_in_two(data: bytes) -> None:
    whole = parse([data])

    for position in range(1, len(data)):
        assert parse([data[:position], data[position:]]) == whole


@pytest.mark.parametrize("data", EVERYTHING)
def test_events_do_not_depend_on_bytes_coming_one_by_one(data: bytes) -> None:
    assert parse([data[i : i + 1] for i in range(len(data))]) == parse([data])


@pytest.mark.parametrize(
    "data", [block_of(131), line_of(70) + b"\x00\r\n", line_of(64)]
)
def test_limits_do_not_depend_on_cuts(data: bytes) -> None:
    whole = parse([data], SMALL)

    for position in range(1, len(data)):
        assert parse([data[:position], data[position:]], SMALL) == whole


PIECES = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /x HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b"abc",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"\x00",
        b" ",
        b"x" * 40,
        b"A: b\r\n",
    ]
)


@settings(max_examples=examples(300), deadline=None)
@given(st.data())
def test_any_bytes_cut_anywhere_give_the_same_events(data: st.DataObject) -> None:
    joined = b"".join(data.draw(st.lists(PIECES | st.binary(max_size=8), max_size=20)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(joined)), max_size=8)))
    edges = [0, *cuts, len(joined)]
    parts = [joined[a:b] for a, b in pairwise(edges) if a < b]

    assert parse(parts, SMALL) == parse([joined] if joined else [], SMALL)
