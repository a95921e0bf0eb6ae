"""Pages of other sites: as strict as a WebSocket is, whatever a request leaves out."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from .conftest import Served

Serve = Callable[..., Served]

EVIL = "https://evil.example"
FRIEND = "https://friend.example"


@pytest.mark.parametrize("origin", [EVIL, "null", "https://127.0.0.1.evil.example"])
def test_a_page_of_another_site_gets_nothing(serve_polls: Serve, origin: str) -> None:
    served = serve_polls()
    client = served.poller()
    assert client.begin(origin=origin).status_code == 403
    assert not served.events("connect")

    client.begin()
    client.headers = {"origin": origin}
    answer = client.poll()

    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert client.post(b'{"messages":["x"]}', origin=origin).status_code == 403
    assert not served.events("receive")


def test_a_page_of_this_site_may(serve_polls: Serve) -> None:
    client = serve_polls().poller()

    assert client.begin(origin="http://localhost:8000").status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_what_a_form_can_send_is_refused_without_an_origin_too(
    serve_polls: Serve, kind: str
) -> None:
    served = serve_polls()

    assert served.poller().begin(content_type=kind).status_code == 415
    assert not served.events("connect")


def test_a_get_begins_nothing(serve_polls: Serve) -> None:
    served = serve_polls()

    assert served.poller().poll().status_code == 400
    assert not served.events("connect")


def test_an_allowed_page_of_another_site_may_read(serve_polls: Serve) -> None:
    client = serve_polls(allowed_origins=[FRIEND]).poller()

    asked = client.http.options(
        client.url,
        headers={"origin": FRIEND, "access-control-request-method": "POST"},
    )
    begun = client.begin(origin=FRIEND)

    assert asked.status_code == 204
    assert "fairway-token" in asked.headers["access-control-allow-headers"]
    for answer in (asked, begun):
        assert answer.headers["access-control-allow-origin"] == FRIEND
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["vary"] == "origin"


def test_a_preflight_of_another_site_is_refused(serve_polls: Serve) -> None:
    client = serve_polls().poller()

    answer = client.http.options(client.url, headers={"origin": EVIL})

    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
def test_other_methods_are_refused(serve_polls: Serve, method: str) -> None:
    client = serve_polls().poller()

    assert client.http.request(method, client.url).status_code == 405


def test_no_answer_may_be_kept_or_guessed_at(serve_polls: Serve) -> None:
    client = serve_polls().poller()

    headers = client.begin().headers

    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_a_token_that_was_changed_is_refused_and_reaches_nobody(
    serve_polls: Serve,
) -> None:
    served = serve_polls()
    client = served.poller()
    client.begin()
    door, session, tag = client.token.rsplit("!", 2)
    for token in (
        f"{door}!{session}!{tag[:-1]}{'0' if tag[-1] != '0' else '1'}",
        f"interface.other!1!{session}!{tag}",
        f"{door}!{session}!",
        "!",
        "x" * 1_000,
        "\xe9",
    ):
        answer = httpx.get(
            client.url, headers={b"fairway-token": token.encode("latin-1")}
        )
        assert answer.status_code == 403

    assert not served.protocol()._relay._relayed
    assert len(bytes.fromhex(tag)) == 16


def test_a_token_may_stand_in_the_address_for_event_sources(
    serve_polls: Serve,
) -> None:
    client = serve_polls().poller()
    client.begin()
    client.send("a")

    answer = httpx.get(client.url, params={"token": client.token}, trust_env=False)

    assert answer.json()["messages"] == ["a"]
