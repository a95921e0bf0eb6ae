from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.kit import LocalProtocolError, RemoteProtocolError, Site
from fairway.plugins.websocket.handshake import (
    Handshake,
    accept_headers,
    check_headers,
    read_handshake,
)
from fairway.plugins.websocket.spec import WebSocketConfig

from .wire import KEY, head

SITE = Site(allowed_hosts=("example.com", ".wild.org"))
CONFIG = WebSocketConfig()


def status_of(request: Any, config: WebSocketConfig = CONFIG) -> int:
    """Return the status that answers a request, 101 when it may be accepted."""
    try:
        read_handshake(request, config, SITE)
    except RemoteProtocolError as error:
        return error.status
    return 101


def read(*extra: tuple[bytes, bytes], compression: bool = False) -> Handshake:
    config = WebSocketConfig(compression=compression)
    return read_handshake(head(*extra), config, SITE)


def test_the_accept_field_is_that_of_the_rfcs_example() -> None:
    assert read().accept == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (head(), 101),
        (head((b"upgrade", b"WebSocket")), 101),
        (head((b"connection", b"upgrade")), 101),
        (head(method="POST"), 405),
        (head(http_version="1.0"), 400),
        (head(without=(b"upgrade",)), 426),
        (head((b"upgrade", b"h2c")), 426),
        (head(without=(b"connection",)), 400),
        (head((b"connection", b"keep-alive")), 400),
        (head(without=(b"sec-websocket-version",)), 426),
        (head((b"sec-websocket-version", b"8")), 426),
        (head((b"sec-websocket-version", b"13, 8")), 426),
        (head(without=(b"sec-websocket-key",)), 400),
        (head((b"sec-websocket-key", KEY), (b"sec-websocket-key", KEY)), 400),
        (head((b"sec-websocket-key", b"")), 400),
        (head((b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25j")), 400),
        (head((b"sec-websocket-key", KEY[:-2] + b"!=")), 400),
        (head((b"sec-websocket-key", b"\xff" * 24)), 400),
        (head((b"sec-websocket-protocol", b"chat, super-chat")), 101),
        (head((b"sec-websocket-protocol", b"chat\xc3\xa9")), 400),
        (head((b"sec-websocket-protocol", b"two words")), 400),
        (head((b"sec-websocket-protocol", b"a(b)")), 400),
        (
            head(
                (b"sec-websocket-protocol", b",".join(b"p%d" % n for n in range(101)))
            ),
            400,
        ),
    ],
)
def test_a_request_is_answered_with(request_head: Any, status: int) -> None:
    assert status_of(request_head) == status


def test_subprotocols_keep_the_clients_order_and_stand_once() -> None:
    handshake = read(
        (b"sec-websocket-protocol", b"b, a,, b"), (b"sec-websocket-protocol", b"c")
    )

    assert handshake.subprotocols == ("b", "a", "c")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (b"https://example.com", True),
        (b"http://example.com:8000", True),
        (b"https://EXAMPLE.com", True),
        (b"https://example.com.", True),
        (b"https://wild.org", True),
        (b"https://deep.sub.wild.org", True),
        (b"https://notwild.org", False),
        (b"https://example.com.evil.org", False),
        (b"https://example.com@evil.org", False),
        (b"https://evil.org/example.com", False),
        (b"https://evil.org#example.com", False),
        (b"https://evil.org\\example.com", False),
        (b"null", False),
        (b"file://", False),
        (b"example.com", False),
        (b"", False),
        (b"https://[::1", False),
        (b"\xff\xfe", False),
    ],
)
def test_by_default_pages_come_from_the_sites_hosts(
    origin: bytes, allowed: bool
) -> None:
    assert status_of(head((b"origin", origin))) == (101 if allowed else 403)


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("*", b"https://anything.org", True),
        ("*", b"null", True),
        ("null", b"null", True),
        ("https://app.org", b"https://app.org", True),
        ("https://app.org", b"https://app.org:443", True),
        ("https://app.org", b"https://app.org:8443", False),
        ("https://app.org", b"http://app.org", False),
        ("https://app.org:8443", b"https://app.org:8443", True),
        ("https://*.app.org", b"https://a.b.app.org", True),
        ("https://*.app.org", b"https://app.org", False),
        ("https://*.app.org", b"https://evilapp.org", False),
        (".app.org", b"http://app.org:99", True),
        (".app.org", b"http://x.app.org", True),
        ("app.org", b"http://x.app.org", False),
        ("app.org:99", b"http://app.org:99", True),
        ("app.org:99", b"http://app.org", False),
        ("app.org:80", b"http://app.org", True),
        ("http://[::1]:8000", b"http://[::1]:8000", True),
        ("capacitor://localhost", b"capacitor://localhost", True),
        ("https://app.org", b"https://example.com", False),
    ],
)
def test_allowed_origins_replace_the_sites_hosts(
    pattern: str, origin: bytes, allowed: bool
) -> None:
    config = WebSocketConfig(allowed_origins=[pattern])

    assert status_of(head((b"origin", origin)), config) == (101 if allowed else 403)


def test_a_client_without_origin_is_no_browser_and_may_connect() -> None:
    assert status_of(head(), WebSocketConfig(allowed_origins=[])) == 101


def test_two_origins_are_refused() -> None:
    origin = (b"origin", b"https://example.com")

    assert status_of(head(origin, origin)) == 403


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        (b"http://any.org:3000", b"any.org:8000", 101),
        (b"http://[::1]:3000", b"[::1]:8000", 101),
        (b"http://[::1]", b"[::1]", 101),
        (b"http://evil.org", b"any.org", 403),
    ],
)
def test_a_site_that_answers_to_any_host_is_used_by_its_own_pages_only(
    origin: bytes, host: bytes, status: int
) -> None:
    request = head((b"origin", origin), (b"host", host))
    site = Site(allowed_hosts=("*",))

    try:
        read_handshake(request, CONFIG, site)
        answer = 101
    except RemoteProtocolError as error:
        answer = error.status

    assert answer == status


@pytest.mark.parametrize(
    ("offer", "bits"),
    [
        (b"permessage-deflate", 15),
        (b"permessage-deflate; client_max_window_bits", 15),
        (b"permessage-deflate; client_max_window_bits=10", 15),
        (b"permessage-deflate; server_max_window_bits=10", 10),
        (b'permessage-deflate; server_max_window_bits="10"', 10),
        (b"permessage-deflate; server_no_context_takeover", 15),
        (b"x-other, permessage-deflate", 15),
        (b"permessage-deflate; server_max_window_bits=8", 0),
        (b"permessage-deflate; server_max_window_bits=8, permessage-deflate", 15),
        (b"permessage-deflate; server_max_window_bits=16", 0),
        (b"permessage-deflate; server_max_window_bits=010", 0),
        (b"permessage-deflate; server_max_window_bits", 0),
        (b"permessage-deflate; server_no_context_takeover=1", 0),
        (b"permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", 0),
        (b"permessage-deflate; unknown", 0),
        (b"permessage-bzip2", 0),
        (b"permessage-deflate;;", 0),
        (b"\xff\xfe", 0),
        (b"", 0),
    ],
)
def test_deflate_is_agreed_where_the_offer_can_be_kept(offer: bytes, bits: int) -> None:
    handshake = read((b"sec-websocket-extensions", offer), compression=True)

    assert handshake.deflate.window_bits == bits


def test_deflate_is_off_unless_the_settings_say_so() -> None:
    handshake = read((b"sec-websocket-extensions", b"permessage-deflate"))

    assert handshake.deflate.window_bits == 0


def test_the_answer_names_subprotocol_deflate_and_the_consumers_headers() -> None:
    handshake = read(
        (b"sec-websocket-protocol", b"chat"),
        (b"sec-websocket-extensions", b"permessage-deflate; server_max_window_bits=9"),
        compression=True,
    )

    headers = accept_headers(handshake, "chat", [["Set-Cookie", b"a=b"]])

    assert headers == [
        (b"sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        (b"sec-websocket-protocol", b"chat"),
        (
            b"sec-websocket-extensions",
            b"; ".join(
                [
                    b"permessage-deflate",
                    b"server_no_context_takeover",
                    b"client_no_context_takeover",
                    b"server_max_window_bits=9",
                ]
            ),
        ),
        (b"set-cookie", b"a=b"),
    ]


def test_a_subprotocol_that_was_not_offered_cannot_be_chosen() -> None:
    with pytest.raises(LocalProtocolError, match="offers: chat"):
        accept_headers(read((b"sec-websocket-protocol", b"chat")), "other", [])


@pytest.mark.parametrize(
    "header",
    [
        ["x-a", "b\r\nx-c: d"],
        ["x-a", "b\nc"],
        ["x-a", "b\0"],
        ["x-a", b"b\x0b"],
        ["x a", "b"],
        ["x-a:", "b"],
        ["", "b"],
        ["x-a", "\N{EURO SIGN}"],
        ["x-a", 1],
        ["x-a"],
        "x-a",
        ["Sec-WebSocket-Accept", "mine"],
        ["Upgrade", "h2c"],
        ["Connection", "close"],
        ["Content-Length", "0"],
        ["Transfer-Encoding", "chunked"],
    ],
)
def test_a_header_that_could_break_the_answer_apart_is_not_sent(header: Any) -> None:
    with pytest.raises(LocalProtocolError):
        check_headers([header])


@pytest.mark.parametrize("headers", ["x-a", {"x-a": "b"}, None])
def test_headers_are_a_list(headers: Any) -> None:
    with pytest.raises(LocalProtocolError):
        check_headers(headers)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    b"upgrade",
                    b"connection",
                    b"origin",
                    b"host",
                    b"sec-websocket-key",
                    b"sec-websocket-version",
                    b"sec-websocket-protocol",
                    b"sec-websocket-extensions",
                ]
            ),
            st.binary(max_size=60),
        )
    )
)
def test_any_fields_are_accepted_or_refused_with_a_status(
    fields: list[tuple[bytes, bytes]],
) -> None:
    config = WebSocketConfig(compression=True)

    assert status_of(head(*fields), config) in {101, 400, 403, 426}


@given(st.binary(max_size=80))
def test_any_offer_of_extensions_is_read_without_an_error(offer: bytes) -> None:
    handshake = read((b"sec-websocket-extensions", offer), compression=True)

    assert 0 <= handshake.deflate.window_bits <= 15
