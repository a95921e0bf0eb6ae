"""Static files are served in development as Django's own runserver serves them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.signals import request_finished
from django.test import override_settings

from fairway.plugins.http.static import are_served, serve_static_files
from tests.plugins.http.django_side.host import Host, header
from tests.plugins.http.django_side.test_application import heard


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "site.css").write_text("body {}")
    with override_settings(STATICFILES_DIRS=[tmp_path], STATIC_URL="/static/"):
        yield tmp_path
    serve_static_files(None)


@override_settings(DEBUG=True)
def test_a_file_is_served_while_debugging(host: Host) -> None:
    reply = host.ask(target="/static/site.css")

    assert (reply["status"], reply["content"]) == (200, b"body {}")
    assert header(reply, "Content-Type") == "text/css"
    assert header(reply, "Content-Length") == "7"
    assert header(reply, "Last-Modified") is not None


@override_settings(DEBUG=True)
def test_a_file_that_did_not_change_is_not_sent_again(host: Host) -> None:
    since = header(host.ask(target="/static/site.css"), "Last-Modified")
    assert since is not None
    fields = [("host", "testserver"), ("if-modified-since", since)]

    reply = host.ask(target="/static/site.css", headers=fields)

    assert (reply["status"], reply["content"]) == (304, b"")


@override_settings(DEBUG=True)
@pytest.mark.parametrize("name", ["nothing.css", "", "%00"])
def test_what_is_not_there_is_404(host: Host, name: str) -> None:
    assert host.ask(target=f"/static/{name}")["status"] == 404


@override_settings(DEBUG=True)
@pytest.mark.parametrize("name", ["../host.py", "%2e%2e/host.py", "a/../../host.py"])
def test_a_path_that_leads_out_is_400(host: Host, name: str) -> None:
    assert host.ask(target=f"/static/{name}")["status"] == 400


@override_settings(DEBUG=True)
def test_other_paths_go_to_the_site(host: Host) -> None:
    assert host.ask(target="/hello/")["content"] == b"Hello, world"


@override_settings(DEBUG=True)
def test_a_files_request_is_finished_once(host: Host) -> None:
    with heard(request_finished) as finished:
        host.ask(target="/static/site.css")

    assert len(finished) == 1


@override_settings(DEBUG=False)
def test_nothing_is_served_in_production(host: Host) -> None:
    assert host.ask(target="/static/site.css")["status"] == 404


@override_settings(DEBUG=False)
def test_insecure_serving_can_be_chosen() -> None:
    serve_static_files()

    assert are_served()


@override_settings(DEBUG=True)
def test_serving_can_be_left_to_somebody_else() -> None:
    serve_static_files(False)

    assert not are_served()


@override_settings(DEBUG=True, INSTALLED_APPS=["django.contrib.contenttypes"])
def test_without_the_app_there_is_nothing_to_serve() -> None:
    serve_static_files()

    assert not are_served()
