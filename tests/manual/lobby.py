"""Lobbies: whoever is in one hears what is said in it."""

from fairway import DenyConnection, Group, Message, route


def enter(message: Message, name: str) -> None:
    if name == "attic":
        raise DenyConnection(404)
    Group(f"lobby.{name}").add(message.reply_channel)
    message.reply_channel.send({"accept": True})


def say(message: Message, name: str) -> None:
    message.state["said"] = message.state.get("said", 0) + 1
    Group(f"lobby.{name}").send({"text": message.text})


PATH = r"^/lobby/(?P<name>\w+)/$"

channel_routing = [
    route("websocket.connect", enter, path=PATH),
    route("websocket.receive", say, path=PATH),
]
