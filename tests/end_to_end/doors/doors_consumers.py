"""One conversation for every door."""

from __future__ import annotations

from fairway import Conversation, Message, route_class

urlpatterns: list[object] = []


class Room(Conversation):
    """Greets, repeats to everybody, and counts what each peer says."""

    groups = ("room",)

    def connected(self, message: Message) -> None:
        self.accept()
        self.reply(f"welcome over {self.protocol}")

    def received(self, message: Message) -> None:
        if message.text == "bye":
            self.close()
            return
        self.state["said"] = self.state.get("said", 0) + 1
        self.broadcast("room", f"{self.protocol} {self.state['said']}: {message.text}")

    def disconnected(self, message: Message) -> None:
        self.broadcast("room", f"{self.protocol} left")


routes = [route_class(Room)]
