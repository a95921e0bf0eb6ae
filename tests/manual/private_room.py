"""A room for people who are logged in."""

from fairway import DenyConnection, Group, Message, route


def enter(message: Message) -> None:
    if not message.user.is_authenticated:
        raise DenyConnection(403)
    Group(f"user.{message.user.pk}").add(message.reply_channel)
    message.reply_channel.send({"accept": True})


def say(message: Message) -> None:
    name = message.user.get_username()
    message.reply_channel.send({"text": f"{name}: {message.text}"})


channel_routing = [
    route("websocket.connect", enter, path=r"^/private/$"),
    route("websocket.receive", say, path=r"^/private/$"),
]
