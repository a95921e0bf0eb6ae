"""One room for everybody."""

from fairway import Conversation


class Room(Conversation):
    groups = ["room"]

    def connected(self) -> None:
        self.reply("Who are you?")

    def received(self) -> None:
        text = self.message.text
        if "name" not in self.state:
            self.state["name"] = text
            self.broadcast("room", f"{text} comes in")
        else:
            self.broadcast("room", f"{self.state['name']}: {text}")

    def disconnected(self) -> None:
        if "name" in self.state:
            self.broadcast("room", f"{self.state['name']} leaves")
