"""The plugin `irc`: what the protocol is, as data."""

from fairway import kit
from fairway_irc.config import Irc

_EVENTS: dict[str, tuple[dict[str, type], str]] = {
    "connect": ({"nick": str, "user": str}, "Somebody has signed on."),
    "join": ({"target": str}, "They have joined the channel `target`."),
    "receive": (
        {"text": str, "target": str, "nick": str},
        "They wrote to `target`: a channel, or the nick of the site.",
    ),
    "part": ({"target": str}, "They have left the channel `target`."),
    "disconnect": ({}, "They have gone."),
}

_REPLIES = {"text": str, "target": str, "nick": str, "accept": bool, "close": bool}


@kit.hookimpl
def fairway_protocols() -> list[kit.ProtocolSpec]:
    """Declare the protocol."""
    return [
        kit.ProtocolSpec(
            name="irc",
            config=Irc,
            events=tuple(
                kit.Event(channel=f"irc.{what}", keys=keys, summary=summary)
                for what, (keys, summary) in _EVENTS.items()
            ),
            replies=_REPLIES,
            peers="owned",
            ordering="peer",
            unrouted={"accept": False},
            transports={"twisted": "fairway_irc.session:IrcProtocol"},
            routes="fairway_irc.routes.routes",
            summary="IRC clients talk to consumers (RFC 2812, the server's side).",
        )
    ]
