"""Consumers and URLs of a site that only has to be loaded."""

from fairway import Message, route

urlpatterns: list[object] = []


def echo(message: Message) -> None:
    if message.reply_channel is not None:
        message.reply_channel.send({"text": message.text})


routes = [route("*.receive", echo)]
