"""Routing: a table of routes and messages, and what is said about mistakes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import Routing, include, route, route_class
from fairway.core.exceptions import ConfigurationError
from tests.core.consumer.conftest import MakeRouter
from tests.core.consumer.routes_of_a_site import first, second

HERE = "tests.core.consumer.routes_of_a_site"


def message(channel: str = "websocket.receive", **content: Any) -> Message:
    return Message(content, channel)


class Lobby:
    @classmethod
    def channel_names(cls) -> list[str]:
        return ["websocket.connect", "lobby.tick"]

    @classmethod
    def consume(cls, message: Message) -> None:
        """Do nothing."""


CASES: dict[str, tuple[Routing, Message, object]] = {
    "a plain route": (
        [route("websocket.receive", first)],
        message(),
        (first, {}),
    ),
    "another channel": (
        [route("websocket.connect", first)],
        message(),
        None,
    ),
    "several channels": (
        [route(["websocket.connect", "websocket.receive"], first)],
        message(),
        (first, {}),
    ),
    "the first match wins": (
        [route("websocket.receive", first), route("websocket.receive", second)],
        message(),
        (first, {}),
    ),
    "a filter that does not match": (
        [
            route("websocket.receive", first, path=r"^/a/$"),
            route("websocket.receive", second),
        ],
        message(path="/b/"),
        (second, {}),
    ),
    "a filter on a missing key": (
        [route("websocket.receive", first, subject="x")],
        message(),
        None,
    ),
    "named groups": (
        [route("websocket.receive", first, path=r"^/chat/(?P<room>\w+)/$")],
        message(path="/chat/lobby/"),
        (first, {"room": "lobby"}),
    ),
    "a named group that took no part": (
        [route("websocket.receive", first, path=r"^/(?P<a>a)?(?P<b>b)?$")],
        message(path="/b"),
        (first, {"b": "b"}),
    ),
    "all filters must match": (
        [route("websocket.receive", first, path="^/", text=r"^go (?P<where>\w+)")],
        message(path="/", text="go north"),
        (first, {"where": "north"}),
    ),
    "a pattern matches from the start": (
        [route("websocket.receive", first, path="b")],
        message(path="/b"),
        None,
    ),
    "a compiled pattern": (
        [route("websocket.receive", first, text=re.compile("HELLO", re.IGNORECASE))],
        message(text="hello"),
        (first, {}),
    ),
    "a pattern on bytes": (
        [route("websocket.receive", first, bytes=rb"^\x01(?P<tail>.)")],
        message(bytes=b"\x01\xe4"),
        (first, {"tail": "\xe4"}),
    ),
    "a pattern on a number": (
        [route("websocket.receive", first, code=r"^40\d\d$")],
        message(code=4004),
        (first, {}),
    ),
    "a pattern on a list": (
        [route("websocket.receive", first, tags="a")],
        message(tags=["a"]),
        None,
    ),
    "an equal value": (
        [route("websocket.receive", first, code=7)],
        message(code=7),
        (first, {}),
    ),
    "another value": (
        [route("websocket.receive", first, code=7)],
        message(code=8),
        None,
    ),
    "a dict": (
        {"websocket.receive": first},
        message(),
        (first, {}),
    ),
    "dotted paths of routes and consumers": (
        f"{HERE}.as_dict",
        message(),
        (second, {}),
    ),
    "include cuts what it matched": (
        [include(f"{HERE}.routes", path=r"^/chat")],
        message(path="/chat/lobby/"),
        (first, {"room": "lobby"}),
    ),
    "include by prefix": (
        [include(f"{HERE}.routes", prefix=r"^/chat")],
        message(path="/chat/lobby/"),
        (first, {"room": "lobby"}),
    ),
    "include that does not match": (
        [include(f"{HERE}.routes", path=r"^/poll")],
        message(path="/chat/lobby/"),
        None,
    ),
    "nested includes": (
        [include([include(f"{HERE}.routes", path=r"^/(?P<lang>\w\w)")], path="^/chat")],
        message(path="/chat/sv/lobby/"),
        (first, {"lang": "sv", "room": "lobby"}),
    ),
    "the inner group wins": (
        [include(f"{HERE}.routes", path=r"^/(?P<room>outer)")],
        message(path="/outer/inner/"),
        (first, {"room": "inner"}),
    ),
    "include with an equal value": (
        [include([route("websocket.receive", first, code=r"^7$")], code=7)],
        message(code=7),
        (first, {}),
    ),
    "include by channel": (
        [
            include({"websocket.receive": first}, channel=r"lines\."),
            include({"websocket.receive": second}, channel=r"websocket\."),
        ],
        message(),
        (second, {}),
    ),
    "a wildcard for protocols": (
        [route("*.receive", first)],
        message("lines.receive"),
        (first, {}),
    ),
    "a wildcard for events": (
        [route("websocket.*", first)],
        message("websocket.disconnect"),
        (first, {}),
    ),
    "a wildcard leaves requests alone": (
        [route("*.disconnect", first)],
        message("http.disconnect"),
        None,
    ),
    "a class": (
        [route_class(Lobby)],
        message("lobby.tick"),
        (Lobby.consume, {}),
    ),
    "nested lists": (
        [[route("websocket.receive", first)]],  # type: ignore[list-item]
        message(),
        (first, {}),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_message_goes_to_the_first_route_that_matches(
    name: str, make_router: MakeRouter
) -> None:
    routing, given, expected = CASES[name]

    router = make_router(routing, "websocket", "lines", "http")

    assert router.match(given) == expected


def test_matching_leaves_the_message_as_it_was(make_router: MakeRouter) -> None:
    given = message(path="/chat/lobby/")

    make_router([include(f"{HERE}.routes", path="^/chat")]).match(given)

    assert given.content == {"path": "/chat/lobby/"}


MISTAKES: dict[str, tuple[Any, str]] = {
    "no such module": ("nowhere.routes", "the routes: 'nowhere.routes' cannot be"),
    "no such attribute": (f"{HERE}.roads", "has no 'roads'"),
    "not a route": ([5], "has 5, which is no route"),
    "consumer not importable": (
        [route("websocket.receive", "nowhere.consumer")],
        "route('websocket.receive', nowhere.consumer): 'nowhere.consumer' cannot be",
    ),
    "consumer not callable": (
        [route("websocket.receive", f"{HERE}.not_callable")],
        "5 is not callable",
    ),
    "bad channel name": (
        [route("web socket", first)],
        "character ' ' at 3 is not allowed",
    ),
    "bad expression": (
        [route("websocket.receive", first, path="(")],
        "path='(' is no regular expression",
    ),
    "group without a name": (
        [route("websocket.receive", first, path=r"/(\w+)")],
        f"{HERE}.first, path='/(\\\\w+)'): path='/(\\\\w+)' has a group without a name",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_when_the_routes_are_read(
    name: str, make_router: MakeRouter
) -> None:
    routing, text = MISTAKES[name]

    with pytest.raises(ConfigurationError, match=re.escape(text)) as caught:
        make_router(routing)

    assert str(caught.value).startswith('FAIRWAY["ROUTING"] ')


def test_a_class_without_channel_names_is_no_class_based_consumer() -> None:
    with pytest.raises(ValueError, match="use route\\(\\) for it"):
        route_class(object)


def test_channels_are_all_events_and_the_plain_channels_of_routes(
    make_router: MakeRouter,
) -> None:
    router = make_router([route("thumbnails", first), route("*.receive", first)])

    assert router.channels() == [
        "websocket.connect",
        "websocket.receive",
        "websocket.disconnect",
        "thumbnails",
    ]


def test_default_routes_of_protocols_come_last(make_router: MakeRouter) -> None:
    router = make_router([route("http.request", first, path="^/api/")], "http")

    matches = [
        router.match(message("http.request", path=path)) for path in ("/api/", "/")
    ]

    assert matches[0] == (first, {})
    assert matches[1] is not None
    assert matches[1][0].__name__ == "page"


def test_without_routing_only_default_routes_are_there(make_router: MakeRouter) -> None:
    router = make_router(None, "http", "websocket")

    assert router.match(message("http.request", path="/")) is not None
    assert router.match(message(path="/")) is None


def test_the_nearest_route_is_the_one_with_the_most_similar_path(
    make_router: MakeRouter,
) -> None:
    router = make_router(
        [
            route("websocket.connect", first, path=r"^/polls/(?P<poll>\d+)/$"),
            include(
                [route("websocket.connect", second, path="^/room/$")], path="^/chat"
            ),
        ]
    )

    near = router.nearest(message("websocket.connect", path="/chat/rom/"))

    assert near == f"route('websocket.connect', {HERE}.second, path='^/room/$')"


def test_there_is_no_nearest_route_where_there_is_none(make_router: MakeRouter) -> None:
    assert make_router([]).nearest(message("websocket.connect", path="/")) is None


def test_routes_describe_themselves(make_router: MakeRouter) -> None:
    router = make_router([include([route("*.receive", first, text="a")], path="^/b")])

    assert router.describe() == [("*.receive", "path='^/b', text='a'", f"{HERE}.first")]
