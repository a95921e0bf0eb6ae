from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import pytest

from fairway.core.plugin.loading import Plugins
from fairway.core.settings import read_settings
from fairway.kit import ConfigurationError, Content, ProtocolSpec, RequestHead
from fairway.plugins.longpoll.spec import SPEC
from fairway.testing.plugin import PluginConformance
from fairway.testing.recording import RecordingHost


def plugins(**section: Any) -> Plugins:
    return Plugins(read_settings({"PLUGINS": {"longpoll": section}}))


def test_the_plugin_is_found_by_its_entry_point() -> None:
    assert plugins().protocols["longpoll"].spec is SPEC


def test_it_takes_the_requests_of_http_below_its_path() -> None:
    (declared,) = plugins(path="/p/").mounts()

    mount = declared.mount
    assert (mount.on, mount.prefix, mount.upgrade) == ("http", "/p/", None)
    assert mount.methods == ("GET", "POST", "OPTIONS")


@pytest.mark.parametrize(
    "section",
    [
        {"path": "poll/"},
        {"path": "/poll"},
        {"poll_timeout": 0.0},
        {"relay_timeout": float("nan")},
        {"max_body": 0},
        {"max_unread": -1},
        {"allowed_origins": ["https://a.org/path"]},
        {"origins": []},
    ],
)
def test_a_wrong_setting_stops_with_its_name(section: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as error:
        plugins(**section)

    name = next(iter(section))
    assert f'FAIRWAY["PLUGINS"]["longpoll"]["{name}"]' in str(error.value)


class MemoryExchange:
    """One request, and how it was answered."""

    def __init__(self, method: str, body: bytes = b"", **fields: str) -> None:
        headers = [(b"content-type", b"application/json")]
        headers += [
            (name.replace("_", "-").encode(), value.encode())
            for name, value in fields.items()
        ]
        self.head = RequestHead(
            method,
            "/poll/",
            b"/poll/",
            b"",
            headers,
            "1.1",
            "http",
            "192.0.2.1:5123",
            ("127.0.0.1", 80),
        )
        self.status = 0
        self.content = b""
        self._body = body

    async def body(self, limit: int) -> bytes:
        return self._body

    def respond(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes
    ) -> None:
        assert self.status == 0, "answered twice"
        self.status, self.content = status, body

    def on_closed(self, call: Callable[[], None]) -> None:
        """It never leaves."""


class TestLongPoll(PluginConformance):
    plugin = "longpoll"

    async def converse(self, host: RecordingHost) -> None:
        await self.arrive(host)
        host.deliver({"accept": True})
        (exchange,) = self.exchanges
        token = exchange.content.split(b'"')[3].decode()
        body = b'{"messages":["text",{"bytes":"AP8="}],"close":{}}'
        await self._ask(host, MemoryExchange("POST", body, fairway_token=token))

    async def arrive(self, host: RecordingHost) -> None:
        self.exchanges: list[MemoryExchange] = []
        await self._ask(host, MemoryExchange("POST"))

    def replies(self, spec: ProtocolSpec) -> Sequence[Content]:
        return [{"accept": True}, {"text": "a"}, {"bytes": b"a"}, {"close": 1000}]

    async def _ask(self, host: RecordingHost, exchange: MemoryExchange) -> None:
        self.exchanges.append(exchange)
        (declared,) = plugins().mounts()
        declared.mount.open(host.protocol, cast(Any, exchange))
        if host.work:  # what is refused by its head alone makes none
            await host.work.pop()
