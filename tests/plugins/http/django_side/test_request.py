"""A request over a message reads as Django's own request over the same bytes."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    RequestDataTooBig,
    TooManyFieldsSent,
)
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpRequest, QueryDict, RawPostDataException
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairway.plugins.http.request import FairwayRequest
from tests.plugins.http.django_side.host import Host
from tests.plugins.http.django_side.oracle import both
from tests.support.examples import examples

BOUNDARY = "frontier"
FORM = "application/x-www-form-urlencoded"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
OURS = {"SERVER_SOFTWARE", "REMOTE_PORT"}
"""What runserver has otherwise, or not at all."""
THEIRS = {"wsgi.input", "SERVER_SOFTWARE"}


def multipart(**parts: bytes | tuple[str, bytes]) -> bytes:
    """Return the body of a form; a tuple is a file's name and content."""
    lines = []
    for name, part in parts.items():
        filename, content = part if isinstance(part, tuple) else ("", part)
        more = f'; filename="{filename}"' if filename else ""
        lines.append(
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
            f'name="{name}"{more}\r\n\r\n'.encode()
            + content
            + b"\r\n"
        )
    return b"".join(lines) + f"--{BOUNDARY}--\r\n".encode()


def meta(request: HttpRequest, without: set[str]) -> dict[str, Any]:
    return {key: value for key, value in request.META.items() if key not in without}


def files(request: HttpRequest) -> list[tuple[str, bytes, str]]:
    lists: Any = request.FILES.lists()
    return [(f.name, f.read(), f.content_type) for _, files in lists for f in files]


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/a/b",
        "/a%20b",
        "/a/../b/./c",
        "/caf%C3%A9/",
        "/caf%E9/",
        "/%ff%fe/x",
        "/a%2Fb",
        "/%00",
        "/a%",
        "/a%zz",
        "/a+b;c=d",
        "/x//y",
        "/?",
        "/?a=1&a=2&b",
        "/?q=%C3%A9&r=%E9",
        "/?q=\xe9",
        "/?a=b?c=d&&=e",
    ],
)
def test_a_target_gives_what_django_makes_of_it(host: Host, target: str) -> None:
    ours, theirs = both(host, target=target)

    assert ours.path == theirs.path
    assert ours.path_info == theirs.path_info
    assert ours.GET == theirs.GET
    assert ours.get_full_path() == theirs.get_full_path()
    assert ours.build_absolute_uri() == theirs.build_absolute_uri()
    assert meta(ours, OURS) == meta(theirs, THEIRS)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("accept", "text/html"), ("user-agent", "x")],
        [("x-tag", "a"), ("x-tag", "b")],
        [("cookie", "a=1; b=2")],
        [("cookie", 'a="q\\054"; b=\xc3\xa9; c=\xe9')],
        [("content-type", "text/html; charset=latin-1")],
        [("content-type", "text/html"), ("content-type", "text/css")],
        [("content-length", "0")],
        [("x_under", "no"), ("x-under", "yes")],
        [("x-empty", "")],
        [("authorization", "Basic eA==")],
        [("x-latin", "\xe9")],
    ],
)
def test_headers_give_the_variables_that_django_has(
    host: Host, headers: list[tuple[str, str]]
) -> None:
    ours, theirs = both(host, headers=headers)

    assert meta(ours, OURS) == meta(theirs, THEIRS)
    assert dict(ours.headers) == dict(theirs.headers)
    assert ours.COOKIES == theirs.COOKIES
    assert ours.content_type == theirs.content_type
    assert ours.content_params == theirs.content_params
    assert ours.encoding == theirs.encoding


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, b"a=1&a=2&b=%C3%A9"),
        (FORM, b"a=\xff"),
        (FORM, b""),
        (f"{FORM}; charset=utf-8", b"a=1"),
        (MULTIPART, multipart(a=b"1", b="\u00e9".encode())),
        (MULTIPART, multipart(f=("x.txt", b"content"), a=b"1")),
        (f"{MULTIPART}; charset=latin-1", multipart(a=b"\xe9")),
        ("text/plain; charset=latin-1", b"a=1"),
        ("text/plain; charset=nonsense", b"a=1"),
        ("application/json", b'{"a": 1}'),
    ],
)
def test_a_posted_body_is_read_as_django_reads_it(
    host: Host, content_type: str, body: bytes
) -> None:
    headers = [("content-type", content_type)]
    ours, theirs = both(host, "POST", headers=headers, body=body)

    assert ours.encoding == theirs.encoding
    assert ours.POST == theirs.POST
    assert files(ours) == files(theirs)
    assert meta(ours, OURS) == meta(theirs, THEIRS)


PATH = st.lists(st.sampled_from("abc/%2FEéü.~;=&+é"), max_size=12).map("".join)
QUERY = st.text(st.sampled_from("ab=&%41;+?é/"), max_size=16)
FIELD_NAME = st.from_regex(r"x-[a-z0-9-]{0,8}", fullmatch=True)
FIELD_VALUE = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF).filter(
        lambda character: character.isprintable() and not character.isspace()
    ),
    max_size=12,
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=examples(150),
    deadline=None,
)
@given(
    path=PATH,
    query=QUERY,
    headers=st.lists(st.tuples(FIELD_NAME, FIELD_VALUE), max_size=4),
)
def test_any_head_is_read_as_django_reads_it(
    host: Host, path: str, query: str, headers: list[tuple[str, str]]
) -> None:
    # http.server squeezes slashes at the start, which is its own idea.
    target = f"/{path.lstrip('/')}?{query}"
    ours, theirs = both(host, target=target, headers=headers)

    assert ours.path == theirs.path
    assert ours.GET == theirs.GET
    assert meta(ours, OURS) == meta(theirs, THEIRS)


def test_several_cookie_headers_are_one_list_of_cookies(host: Host) -> None:
    headers = [("cookie", "a=1"), ("cookie", "b=2")]

    request = FairwayRequest(host.message(headers=headers))

    assert request.COOKIES == {"a": "1", "b": "2"}


def test_the_length_of_a_chunked_body_is_known(host: Host) -> None:
    headers = [("content-type", MULTIPART), ("transfer-encoding", "chunked")]
    message = host.message("POST", headers=headers, body=multipart(a=b"1"))

    assert FairwayRequest(message).POST["a"] == "1"


def test_a_double_slash_stays_in_the_path(host: Host) -> None:
    request = FairwayRequest(host.message(target="//a"))

    assert (request.path, request.path_info) == ("//a", "//a")


def test_a_lower_case_method_is_the_same_method(host: Host) -> None:
    assert FairwayRequest(host.message("get")).method == "GET"


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("192.0.2.1:5123", ("192.0.2.1", "5123")),
        ("[2001:db8::1]:5123", ("2001:db8::1", "5123")),
        ("unix", ("", "")),
    ],
)
def test_the_clients_address_is_split(
    host: Host, client: str, expected: tuple[str, str]
) -> None:
    request = FairwayRequest(host.message(client=client))

    assert (request.META["REMOTE_ADDR"], request.META["REMOTE_PORT"]) == expected


def test_https_is_secure(host: Host) -> None:
    message = host.message(scheme="https", server=["testserver", None], headers=[])
    request = FairwayRequest(message)

    assert request.is_secure()
    assert request.META["wsgi.url_scheme"] == "https"
    assert request.get_port() == "443"
    assert request.get_host() == "testserver"


@override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"))
def test_the_header_of_a_proxy_that_django_trusts_decides_the_scheme(
    host: Host,
) -> None:
    message = host.message(headers=[("x-forwarded-proto", "https")])

    assert FairwayRequest(message).is_secure()


def test_an_unknown_host_is_refused(host: Host) -> None:
    request = FairwayRequest(host.message(headers=[("host", "evil.example")]))

    with pytest.raises(DisallowedHost):
        request.get_host()


@override_settings(FORCE_SCRIPT_NAME="/app/")
def test_a_forced_script_name_stands_before_the_path(host: Host) -> None:
    ours, theirs = both(host, target="/a/")

    assert (ours.path, ours.path_info) == (theirs.path, theirs.path_info)
    assert ours.path == "/app/a/"
    assert ours.META["SCRIPT_NAME"] == "/app/"


def test_setting_the_encoding_reads_parameters_again(host: Host) -> None:
    request = FairwayRequest(host.message(target="/?a=%E9"))
    before = request.GET["a"]

    request.encoding = "latin-1"

    assert (before, request.GET["a"]) == ("\ufffd", "\u00e9")


def test_what_a_view_sets_stays_set(host: Host) -> None:
    request: Any = FairwayRequest(host.message())
    for name in ("GET", "POST", "FILES", "COOKIES", "META"):
        setattr(request, name, QueryDict("a=1"))

    assert all(
        getattr(request, name)["a"] == "1"
        for name in ("GET", "POST", "FILES", "COOKIES", "META")
    )


def test_a_form_in_another_charset_is_a_bad_request(host: Host) -> None:
    headers = [("content-type", f"{FORM}; charset=latin-1")]
    message = host.message("POST", headers=headers, body=b"a=1")

    with pytest.raises(BadRequest):
        _ = FairwayRequest(message).POST


def test_the_body_is_a_file(host: Host) -> None:
    body = b"one\ntwo\nthree"

    request = FairwayRequest(host.message("POST", body=body))

    assert request.read(2) == b"on"
    assert request.readline() == b"e\n"
    assert list(request) == [b"two\n", b"three"]
    with pytest.raises(RawPostDataException):
        _ = request.body


def test_the_body_can_be_read_again_through_body(host: Host) -> None:
    request = FairwayRequest(host.message("POST", body=b"abc"))

    assert (request.body, request.body, request.read()) == (b"abc", b"abc", b"abc")


def test_a_form_can_be_read_after_its_body(host: Host) -> None:
    message = host.message("POST", headers=[("content-type", FORM)], body=b"a=1")
    request = FairwayRequest(message)

    assert (request.body, request.POST["a"]) == (b"a=1", "1")


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10)
def test_a_body_above_the_memory_limit_is_refused(host: Host) -> None:
    request = FairwayRequest(host.message("POST", body=b"x" * 11))

    with pytest.raises(RequestDataTooBig):
        _ = request.body


@override_settings(DATA_UPLOAD_MAX_NUMBER_FIELDS=2)
def test_more_parameters_than_allowed_are_refused(host: Host) -> None:
    request = FairwayRequest(host.message(target="/?a=1&b=2&c=3"))

    with pytest.raises(TooManyFieldsSent):
        _ = request.GET


class Counting(MemoryFileUploadHandler):
    """Sees every chunk of a file."""

    seen = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        self.seen += len(raw_data)
        return super().receive_data_chunk(raw_data, start)


def test_a_view_may_choose_upload_handlers(host: Host) -> None:
    headers = [("content-type", MULTIPART)]
    body = multipart(f=("x.txt", b"0123456789"))
    request = FairwayRequest(host.message("POST", headers=headers, body=body))
    handler = Counting(request)
    request.upload_handlers = [handler]

    assert files(request) == [("x.txt", b"0123456789", "")]
    assert handler.seen == 10


def test_closing_a_request_closes_its_files(host: Host) -> None:
    headers = [("content-type", MULTIPART)]
    body = multipart(f=("x.txt", b"0123456789"))
    request = FairwayRequest(host.message("POST", headers=headers, body=body))
    file: Any = request.FILES["f"]

    request.close()

    assert isinstance(file.file, io.BytesIO)
    assert file.closed


def test_a_request_shows_its_method_and_path(host: Host) -> None:
    request = FairwayRequest(host.message(target="/a/?b=c"))

    assert repr(request) == "<FairwayRequest: GET '/a/?b=c'>"


def test_a_request_knows_where_its_answer_goes(host: Host) -> None:
    message = host.message()
    request = FairwayRequest(message)

    assert request.message is message
    assert str(request.reply_channel) == "host!1"
