"""Events that no route takes."""

from __future__ import annotations

import logging

import pytest

from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import route
from fairway.core.drops import Drop
from fairway.core.worker.unrouted import answer_unrouted
from fairway.testing.client import ConsumerClient, Refused
from fairway.testing.site import ConsumerSite
from tests.core.consumer.conftest import MakeSite


def ignore(message: Message, **kwargs: str) -> None:
    """Do nothing."""


def counted(site: ConsumerSite, channel: str) -> int:
    return site.layer.drops.counts().get((channel, Drop.UNROUTED), 0)


@pytest.mark.parametrize(
    "filters",
    [{}, {"path": r"^/chat/$"}, {"path": r"^/chat/$", "text": r"^go (?P<where>\w+)"}],
)
def test_a_connect_is_accepted_where_its_messages_are_routed(
    make_site: MakeSite, filters: dict[str, str]
) -> None:
    site = make_site([route("*.receive", ignore, **filters)])

    assert ConsumerClient(site).connect("/chat/") == {"accept": True}
    assert counted(site, "websocket.connect") == 0


def test_a_connect_is_refused_where_its_messages_are_not_routed(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    site = make_site(
        [
            route("websocket.receive", ignore, path="^/chat/$"),
            route("websocket.connect", ignore, path="^/polls/$"),
        ]
    )

    with pytest.raises(Refused) as caught:
        ConsumerClient(site).connect("/poll/")

    assert caught.value.content == {"close": 4404, "status": 404}
    assert counted(site, "websocket.connect") == 1
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "path '/poll/'" in record.getMessage()
    assert "path='^/polls/$'" in record.getMessage()


def test_a_receive_is_counted(make_site: MakeSite) -> None:
    site = make_site([route("websocket.receive", ignore, text="^/known")])
    client = ConsumerClient(site)

    client.send("unknown")

    assert counted(site, "websocket.receive") == 1
    assert client.waiting == []


def test_a_disconnect_is_silent(make_site: MakeSite) -> None:
    site = make_site([route("websocket.receive", ignore)])
    client = ConsumerClient(site)
    client.connect()

    client.disconnect()

    assert site.layer.drops.counts() == {}


def test_a_request_gets_what_the_protocol_says(make_site: MakeSite) -> None:
    site = make_site([], "http")
    client = ConsumerClient(site, "http")

    client.event("disconnect", path="/")

    assert counted(site, "http.disconnect") == 0
    assert client.request("/") == {"status": 200, "content": b"a page"}


def test_a_first_contact_may_get_nothing(make_site: MakeSite) -> None:
    site = make_site([], "datagrams")
    client = ConsumerClient(site, "datagrams")

    client.send("anybody there?", first=True)

    assert client.waiting == []
    assert counted(site, "datagrams.receive") == 1


def test_a_later_event_does_not_end_the_peer(make_site: MakeSite) -> None:
    site = make_site([route("lines.connect", ignore)], "lines")
    spec = site.plugins.protocols["lines"].spec
    first, later = (Message({"order": order}, "lines.nod") for order in (0, 1))

    assert answer_unrouted(first, spec, site.router) == {"close": True}
    assert answer_unrouted(later, spec, site.router) is None


def test_a_connect_is_accepted_where_any_event_behind_it_is_routed(
    make_site: MakeSite,
) -> None:
    open_site = make_site([route("shelf.get", ignore)], "shelf")
    shut_site = make_site([route("shelf.disconnect", ignore)], "shelf")

    assert ConsumerClient(open_site, "shelf").connect() == {"accept": True}
    with pytest.raises(Refused):
        ConsumerClient(shut_site, "shelf").connect()
