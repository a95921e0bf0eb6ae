from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from fairway.core.plugin.loading import Plugins
from fairway.core.settings import read_settings
from fairway.kit import ConfigurationError, Content, ProtocolSpec
from fairway.plugins.websocket.frames import is_close_code
from fairway.plugins.websocket.spec import SPEC, WebSocketConfig
from fairway.testing.plugin import PluginConformance, Request
from fairway.testing.recording import RecordingHost

from .wire import frame, head


def plugins(**section: Any) -> Plugins:
    return Plugins(read_settings({"PLUGINS": {"websocket": section}}))


def test_the_plugin_is_found_by_its_entry_point() -> None:
    assert plugins().protocols["websocket"].spec is SPEC


def test_it_takes_the_upgrades_of_http_below_its_path() -> None:
    (declared,) = plugins(path="/ws/").mounts()

    mount = declared.mount
    assert (mount.on, mount.prefix, mount.upgrade) == ("http", "/ws/", "websocket")


def test_its_mount_hands_requests_to_the_running_protocol() -> None:
    (declared,) = plugins().mounts()
    opened = []

    class Protocol:
        def open(self, exchange: object) -> None:
            opened.append(exchange)

    declared.mount.open(Protocol(), cast(Any, "an exchange"))

    assert opened == ["an exchange"]


@pytest.mark.parametrize(
    "section",
    [
        {"path": "ws/"},
        {"max_message": 0},
        {"handshake_timeout": 0.0},
        {"close_timeout": -1.0},
        {"ping_interval": -1.0},
        {"ping_timeout": -1.0},
        {"allowed_origins": ["https://a.org/path"]},
        {"allowed_origins": [""]},
        {"slow_client": "wait"},
        {"engine": "picows"},
        {"origins": []},
    ],
)
def test_a_wrong_setting_stops_with_its_name(section: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as error:
        plugins(**section)

    assert f'FAIRWAY["PLUGINS"]["websocket"]["{next(iter(section))}"]' in str(
        error.value
    )


def test_what_the_spec_sends_by_itself_is_what_a_reply_may_say() -> None:
    for content in (SPEC.failure, SPEC.unrouted):
        assert content is not None
        assert content.keys() <= SPEC.replies.keys()
        assert is_close_code(content["close"])


def test_limits_are_finite_by_default() -> None:
    config = WebSocketConfig()

    assert config.max_message == 1024 * 1024
    assert not config.compression
    assert config.allowed_origins is None


def test_an_unknown_engine_is_refused_with_the_names_of_those_there_are() -> None:
    with pytest.raises(ConfigurationError) as error:
        plugins(engine="picows")

    assert str(error.value).endswith("must be 'lean' or 'autobahn', not 'picows'.")


class TestWebSocket(PluginConformance):
    plugin = "websocket"
    requests = (Request(method="GET", path="/room/", headers=head().headers),)
    bad_requests = (
        Request(
            method="GET",
            path="/room/",
            headers=head((b"sec-websocket-version", b"7")).headers,
        ),
    )

    async def converse(self, host: RecordingHost) -> None:
        await self.arrive(host)
        stream = host.exchanges[-1].stream
        if stream is not None:  # else it was refused
            stream.feed(frame(1, b"text") + frame(2, b"bytes") + frame(8))

    async def arrive(self, host: RecordingHost) -> None:
        host.request(self.requests[0])
        host.deliver({"accept": True})

    def replies(self, spec: ProtocolSpec) -> Sequence[Content]:
        return [
            {"accept": True},
            {"text": "a"},
            {"bytes": b"a"},
            {
                "close": 1000,
                "reason": "a",
                "status": 404,
                "content": b"",
                "headers": [],
            },
        ]
