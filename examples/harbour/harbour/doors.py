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
    """How to use it from a terminal; HOST is where the page came from."""

    @property
    def is_open(self) -> bool:
        """Whether the site enables the plugin."""
        return self.protocol in settings.FAIRWAY["PLUGINS"]


PHONE = "/sms/phone/"
"""The page of the simulated phone."""
POST = "curl -s -H 'content-type: application/json'"
TOKEN = '-H "Fairway-Token: $T"'
STREAM = "-H 'accept: text/event-stream'"
TEXT = '{"number":"+46701740699","text":"Ahoy"}'

DOORS = (
    Door(
        "websocket",
        "WebSocket",
        "Both ways, at once. This page uses it.",
        ("python -m websockets ws://HOST/room/",),
    ),
    Door(
        "longpoll",
        "Long-poll",
        "Plain requests, for networks that let nothing else through.",
        (
            f"T=$({POST} -d '{{}}' http://HOST/poll/room/ | cut -d '\"' -f 4)",
            f"curl -N {TOKEN} {STREAM} http://HOST/poll/room/",
            f'{POST} {TOKEN} -d \'{{"messages":["Ahoy"]}}\' http://HOST/poll/room/',
        ),
    ),
    Door(
        "sms",
        "SMS",
        "A text to NUMBER. The phone is simulated: no account, no costs.",
        (f"{POST} -d '{TEXT}' http://HOST{PHONE}texts/",),
    ),
    Door(
        "udp",
        "UDP",
        "One datagram, one message. Type, and press Enter.",
        ("nc -u 127.0.0.1 UDP_PORT",),
    ),
    Door(
        "http",
        "Plain HTTP",
        "A form post speaks, an endless response listens.",
        (
            "curl -d name=Ada -d text=Ahoy http://HOST/say/",
            "curl -N http://HOST/feed/",
        ),
    ),
    Door(
        "webrtc",
        "WebRTC",
        "A data channel: datagrams from a browser.",
        (),
    ),
)


def doors_at(host: str) -> list[Door]:
    """Return the doors with their commands for a host, such as `127.0.0.1:8000`."""
    facts = {
        "HOST": host,
        "UDP_PORT": str(settings.UDP_PORT),
        "NUMBER": settings.PHONE_NUMBER,
    }

    def filled(text: str) -> str:
        for name, fact in facts.items():
            text = text.replace(name, fact)
        return text

    return [
        replace(
            door,
            summary=filled(door.summary),
            commands=tuple(map(filled, door.commands)),
        )
        for door in DOORS
    ]
