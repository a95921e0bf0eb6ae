"""One conversation for every protocol; nothing in it knows which one it is."""

from __future__ import annotations

from fairway import Conversation, Message, route, route_class

urlpatterns: list[object] = []

EVERYBODY = "everybody"


class Guest(Conversation):
    """Greets, counts what each says and repeats it to all, until they leave."""

    def connected(self) -> None:
        self.state["said"] = 0
        self.join(EVERYBODY)
        self.reply(f"welcome over {self.protocol}")

    def received(self) -> None:
        text = self.message.text
        if text == "how often?":
            self.reply(f"{self.state['said']} times")
        elif text == "leave":
            self.leave(EVERYBODY)
            self.reply("farewell")
        else:
            self.state["said"] += 1
            said = f"{self.protocol} {self.state['said']}: {text}"
            self.broadcast(EVERYBODY, said)


def report(message: Message) -> None:
    """Take delivery reports."""


routes = [route_class(Guest), route("sms.status", report)]
