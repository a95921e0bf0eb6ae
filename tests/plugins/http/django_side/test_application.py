"""Requests go through Django's own handler, its middleware and its signals."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.signals import (
    got_request_exception,
    request_finished,
    request_started,
)
from django.db import connection
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path, reverse, set_script_prefix, set_urlconf

from fairway.core.bus.channels import Channel
from fairway.core.content import Content
from fairway.plugins.http import addresses
from fairway.plugins.http.application import Application
from fairway.plugins.http.routes import serve
from tests.plugins.http.django_side.host import Host, header, headers
from tests.plugins.http.django_side.test_request import FORM, MULTIPART, multipart

MIDDLEWARE = "tests.plugins.http.django_side.test_application"


@contextmanager
def heard(signal: Signal) -> Iterator[list[dict[str, Any]]]:
    """Collect what a signal's receivers get while the block lasts."""
    sent: list[dict[str, Any]] = []

    def receive(**keys: Any) -> None:
        sent.append(keys)

    signal.connect(receive)
    try:
        yield sent
    finally:
        signal.disconnect(receive)


def test_a_view_answers(host: Host) -> None:
    reply = host.ask(target="/hello/")

    assert (reply["status"], reply["content"]) == (200, b"Hello, world")
    assert header(reply, "Content-Length") == "12"
    assert header(reply, "Content-Type") == "text/html; charset=utf-8"
    assert reply["more_content"] is False


def test_an_async_view_answers(host: Host) -> None:
    assert host.ask(target="/wait/")["content"] == b"waited"


def test_a_path_is_resolved_decoded(host: Host) -> None:
    assert host.ask(target="/caf%C3%A9/")["status"] == 200


@override_settings(FORCE_SCRIPT_NAME="/app")
def test_reverse_knows_the_script_name(host: Host) -> None:
    told = json.loads(host.ask(target="/describe/")["content"])

    assert told["prefix"] == "/app/"
    assert told["reverse"] == "/app/hello/"
    assert told["uri"] == "http://testserver/app/describe/"


def test_the_script_name_of_one_request_is_not_left_to_the_next(host: Host) -> None:
    with override_settings(FORCE_SCRIPT_NAME="/app"):
        host.ask(target="/describe/")
    told = json.loads(host.ask(target="/describe/")["content"])

    assert told["reverse"] == "/hello/"


def test_a_view_sees_its_reply_channel(host: Host) -> None:
    assert host.ask(target="/peek/")["content"] == b"host!1"


def test_a_decorator_may_stand_between_view_and_reply_channel(host: Host) -> None:
    answers: list[Content] = []

    class Listening(Channel):
        def send(self, content: Content, **_: Any) -> None:
            answers.append(content)

    message = host.message(target="/hello/")
    message.reply_channel = Listening("elsewhere")
    serve(message)

    assert [answer["content"] for answer in answers] == [b"Hello, world"]
    assert host.replies() == []


def test_each_cookie_has_a_header_of_its_own(host: Host) -> None:
    reply = host.ask(target="/cookies/", headers=[("host", "testserver")])

    assert [cookie.split(";")[0] for cookie in headers(reply, "set-cookie")] == [
        "a=1",
        'b="x y"',
        'c=""',
    ]
    assert headers(reply, "set-cookie")[0] == "a=1; HttpOnly; Path=/"


def test_a_posted_body_reaches_the_view(host: Host) -> None:
    assert host.ask("POST", "/echo/", body=b"abc")["content"] == b"abc"


def test_an_upload_reaches_the_view(host: Host) -> None:
    fields = [("host", "testserver"), ("content-type", MULTIPART)]
    body = multipart(f=("x.txt", b"0123456789"), a=b"1")

    told = json.loads(
        host.ask("POST", "/upload/", headers=fields, body=body)["content"]
    )

    assert told == {
        "files": {"f": [["x.txt", 10, "InMemoryUploadedFile"]]},
        "post": {"a": ["1"]},
    }


def test_a_form_without_its_token_is_forbidden(host: Host) -> None:
    fields = [("host", "testserver"), ("content-type", FORM)]

    assert host.ask("POST", "/form/", headers=fields, body=b"a=1")["status"] == 403


def test_a_form_with_its_token_is_taken(host: Host) -> None:
    first = host.ask(target="/form/")
    cookie = headers(first, "set-cookie")[0].split(";")[0]
    fields = [
        ("host", "testserver"),
        ("content-type", FORM),
        ("cookie", cookie),
    ]
    body = b"name=Ada&csrfmiddlewaretoken=" + first["content"]

    reply = host.ask("POST", "/form/", headers=fields, body=body)

    assert (reply["status"], reply["content"]) == (200, b"Ada")


def test_a_session_lasts_over_requests(host: Host) -> None:
    first = host.ask(target="/count/")
    cookie = headers(first, "set-cookie")[0].split(";")[0]

    second = host.ask(
        target="/count/", headers=[("host", "testserver"), ("cookie", cookie)]
    )

    assert (first["content"], second["content"]) == (b"1", b"2")


def test_a_notice_is_shown_by_the_next_request(host: Host) -> None:
    first = host.ask(target="/notice/")
    cookie = headers(first, "set-cookie")[0].split(";")[0]

    second = host.ask(
        target="/notice/", headers=[("host", "testserver"), ("cookie", cookie)]
    )

    assert (first["content"], second["content"]) == (b"[]", b'["noted"]')


def test_a_missing_slash_is_a_redirect(host: Host) -> None:
    reply = host.ask(target="/hello?a=1")

    assert (reply["status"], header(reply, "Location")) == (301, "/hello/?a=1")


def test_an_unknown_path_is_404(host: Host) -> None:
    assert host.ask(target="/nowhere/")["status"] == 404


def test_an_unknown_host_is_400(host: Host) -> None:
    reply = host.ask(target="/describe/", headers=[("host", "evil.example")])

    assert reply["status"] == 400


def test_a_forbidden_page_is_403(host: Host) -> None:
    assert host.ask(target="/forbid/")["status"] == 403


def test_a_suspicious_operation_is_400(host: Host) -> None:
    assert host.ask(target="/suspect/")["status"] == 400


@override_settings(DATA_UPLOAD_MAX_NUMBER_FIELDS=2)
def test_too_many_fields_are_400(host: Host) -> None:
    fields = [("host", "testserver"), ("content-type", FORM)]

    reply = host.ask("POST", "/fields/", headers=fields, body=b"a=1&b=2&c=3")

    assert reply["status"] == 400


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10)
def test_a_body_above_the_memory_limit_is_400(host: Host) -> None:
    fields = [("host", "testserver"), ("content-type", FORM)]

    reply = host.ask("POST", "/fields/", headers=fields, body=b"a=" + b"x" * 10)

    assert reply["status"] == 400


def test_a_view_that_raises_is_500_and_told_to_its_receivers(host: Host) -> None:
    with heard(got_request_exception) as sent:
        reply = host.ask(target="/fail/")

    assert reply["status"] == 500
    assert [keys["request"].path for keys in sent] == ["/fail/"]


@override_settings(DEBUG=True)
def test_a_view_that_raises_shows_djangos_page_while_debugging(host: Host) -> None:
    reply = host.ask(target="/fail/")

    assert reply["status"] == 500
    assert b"the view failed" in reply["content"]
    assert b"REMOTE_ADDR" in reply["content"]


@override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True)
def test_what_django_lets_through_reaches_the_worker(host: Host) -> None:
    with heard(request_finished) as sent, pytest.raises(RuntimeError):
        host.ask(target="/fail/")

    assert len(sent) == 1
    assert host.replies() == []


def test_not_modified_has_no_body(host: Host) -> None:
    reply = host.ask(target="/unchanged/")

    assert (reply["status"], reply["content"]) == (304, b"")


def test_the_answer_to_head_has_the_headers_of_get_and_no_body(host: Host) -> None:
    reply = host.ask("HEAD", "/hello/")

    assert (reply["status"], reply["content"]) == (200, b"")
    assert header(reply, "Content-Length") == "12"


class AddHeader:
    """Middleware of the old kind: synchronous."""

    async_capable = False

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self.get_response(request)
        response["X-Sync"] = "1"
        return response


class AddHeaderAsync:
    """Middleware that is asynchronous only."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        from asgiref.sync import markcoroutinefunction

        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = await self.get_response(request)
        response["X-Async"] = "1"
        return response


@override_settings(
    MIDDLEWARE=[f"{MIDDLEWARE}.AddHeaderAsync", f"{MIDDLEWARE}.AddHeader"]
)
@pytest.mark.parametrize("target", ["/hello/", "/wait/"])
def test_middleware_of_both_kinds_runs(host: Host, target: str) -> None:
    reply = host.ask(target=target)

    assert (header(reply, "X-Sync"), header(reply, "X-Async")) == ("1", "1")


@override_settings(MIDDLEWARE=["django.middleware.http.ConditionalGetMiddleware"])
def test_an_etag_that_matches_is_not_modified(host: Host) -> None:
    etag = header(host.ask(target="/hello/"), "ETag")
    assert etag is not None

    reply = host.ask(
        target="/hello/", headers=[("host", "testserver"), ("if-none-match", etag)]
    )

    assert reply["status"] == 304


@override_settings(MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"])
def test_a_stream_can_be_compressed(host: Host) -> None:
    fields = [("host", "testserver"), ("accept-encoding", "gzip")]
    with host.serving(target="/download/?size=2048", headers=fields):
        reply = host.reply()

    assert header(reply, "Content-Encoding") == "gzip"
    assert header(reply, "Content-Length") is None


def test_both_signals_are_sent_once_to_whoever_listens(host: Host) -> None:
    with heard(request_started) as started, heard(request_finished) as finished:
        host.ask(target="/hello/?a=1")

    [start] = started
    [finish] = finished
    assert start["environ"]["QUERY_STRING"] == "a=1"
    assert start["sender"] is finish["sender"]
    assert issubclass(start["sender"], Application)


def test_the_signals_of_a_stream_frame_all_of_it(host: Host) -> None:
    with heard(request_finished) as finished:
        with host.serving(target="/stream/?parts=3"):
            host.reply()
        assert len(finished) == 1


def test_a_receiver_that_fails_does_not_cost_the_answer(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("the receiver failed")

    request_finished.connect(fail)
    try:
        with caplog.at_level(logging.ERROR, "fairway.http"):
            reply = host.ask(target="/hello/")
    finally:
        request_finished.disconnect(fail)

    assert reply["status"] == 200
    assert "request_finished" in caplog.text


@override_settings(DEBUG=True)
def test_the_work_of_djangos_own_receivers_is_done(host: Host) -> None:
    connection.ensure_connection()
    connection.queries_log.append({"sql": "SELECT 1", "time": "0"})

    host.ask(target="/hello/")

    assert not connection.queries_log


def test_what_a_thread_was_left_with_does_not_show(host: Host) -> None:
    host.ask(target="/describe/")
    set_urlconf("tests.site.urls")
    set_script_prefix("/left/")

    told = json.loads(host.ask(target="/describe/")["content"])

    assert (told["prefix"], told["reverse"]) == ("/", "/hello/")


def other_urls(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> Any:
        request.urlconf = OtherSite  # type: ignore[assignment]
        return get_response(request)

    return middleware


def misled(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> Any:
        set_urlconf(OtherSite)  # type: ignore[arg-type]
        return get_response(request)

    return middleware


class OtherSite:
    urlpatterns = (path("elsewhere/", lambda request: HttpResponse("other")),)


@override_settings(MIDDLEWARE=[f"{MIDDLEWARE}.other_urls"])
def test_the_addresses_of_one_request_are_not_left_to_other_consumers(
    host: Host,
) -> None:
    assert host.ask(target="/elsewhere/")["content"] == b"other"

    assert reverse("hello") == "/hello/"


@override_settings(MIDDLEWARE=[f"{MIDDLEWARE}.misled"])
def test_nor_are_those_that_a_view_told_its_thread(host: Host) -> None:
    assert host.ask(target="/hello/")["content"] == b"Hello, world"

    assert reverse("hello") == "/hello/"


def test_a_thread_is_told_the_addresses_once(host: Host) -> None:
    host.ask(target="/describe/")
    told = addresses._urlconf_marker(), addresses._prefix_marker()

    host.ask(target="/describe/")

    assert addresses._urlconf_marker() is told[0]
    assert addresses._prefix_marker() is told[1]


def test_a_thread_that_cannot_be_looked_into_is_told_each_time() -> None:
    marker = addresses._marker(threading.local())

    assert marker() is not marker()


class ClosingCache(LocMemCache):
    closed = 0

    def close(self, **_: Any) -> None:
        type(self).closed += 1


@override_settings(CACHES={"default": {"BACKEND": f"{__name__}.ClosingCache"}})
def test_caches_that_hold_connections_are_closed(host: Host) -> None:
    caches["default"].set("a", 1)

    host.ask(target="/hello/")

    assert ClosingCache.closed == 1


def test_requests_may_be_atomic(host: Host) -> None:
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        told = json.loads(host.ask(target="/describe/")["content"])
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False

    assert told["atomic"] is True
