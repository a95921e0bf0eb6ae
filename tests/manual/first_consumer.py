"""The consumer on the first page of the manual."""

from fairway import Message, route


def shout(message: Message) -> None:
    message.reply_channel.send({"text": message.text.upper()})


channel_routing = [route("*.receive", shout)]
