"""A room for programs that know a token."""

from urllib.parse import parse_qs

from django.core import signing

from fairway import DenyConnection, Message, route

MAX_AGE = 60


def enter(message: Message) -> None:
    query = parse_qs(message["query_string"].decode("ascii", "replace"))
    try:
        owner = signing.loads(query["token"][0], salt="room", max_age=MAX_AGE)
    except (KeyError, signing.BadSignature):
        raise DenyConnection(403) from None
    message.state["owner"] = owner
    message.reply_channel.send({"accept": True})


def say(message: Message) -> None:
    owner = message.state["owner"]
    message.reply_channel.send({"text": f"{owner}: {message.text}"})


channel_routing = [
    route("websocket.connect", enter, path=r"^/machines/$"),
    route("websocket.receive", say, path=r"^/machines/$"),
]
