"""The doors of the room: one line each, whatever stands behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.conf import settings


@dataclass(frozen=True)
class Door:
    """One way into the room."""

    protocol: str
    """The plugin's name, which is also what posts say they came by."""
    title: str
    summary: str
    commands: tuple[str, ...]
    """How to use it from a terminal; `{host}` is where the page came from."""

    @property
    def is_open(self) -> bool:
        """Whether the site enables the plugin."""
        return self.protocol in settings.FAIRWAY["PLUGINS"]


DOORS = (
    Door(
        "websocket",
        "WebSocket",
        "Both ways, at once. This page uses it.",
        ("python -m websockets ws://{host}/room/",),
    ),
    Door(
        "http",
        "Plain HTTP",
        "A form post speaks, an endless response listens.",
        (
            "curl -d name=Ada -d text=Ahoy http://{host}/say/",
            "curl -N http://{host}/feed/",
        ),
    ),
    Door(
        "longpoll",
        "Long-poll",
        "For networks that let nothing else through.",
        (),
    ),
    Door(
        "webrtc",
        "WebRTC",
        "A data channel: datagrams from a browser.",
        (),
    ),
    Door(
        "sms",
        "SMS",
        "A text message from any phone.",
        (),
    ),
    Door(
        "udp",
        "UDP",
        "One datagram, one message.",
        (),
    ),
)


def doors_at(host: str) -> list[Door]:
    """Return the doors with their commands for a host, such as `127.0.0.1:8000`."""
    return [
        replace(door, commands=tuple(line.format(host=host) for line in door.commands))
        for door in DOORS
    ]
