"""Consumers that say everything louder."""

from fairway import Message, route


def shout(message: Message) -> None:
    message.reply_channel.send({"text": message.text.upper()})


def shout_back(message: Message) -> None:
    text = message["body"].decode()
    message.reply_channel.send({"text": text.upper()})


channel_routing = [
    route("*.receive", shout),
    route("http.request", shout_back, path=r"^/shout/$"),
]
