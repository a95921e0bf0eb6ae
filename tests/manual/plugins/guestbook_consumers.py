"""Consumers of the guestbook: they decide who comes in."""

from fairway import Message, route

# A site asks django.contrib.auth.authenticate() instead.
ACCOUNTS = {"ada": "lovelace"}


def enter(message: Message) -> None:
    user = message.content["user"]
    known = ACCOUNTS.get(user) == message.content["password"]
    message.state["user"] = user
    message.reply_channel.send({"accept": known})


def sign(message: Message) -> None:
    message.reply_channel.send({"text": f"{message.state['user']}: {message.text}"})


channel_routing = [
    route("guestbook.connect", enter),
    route("guestbook.receive", sign),
]
