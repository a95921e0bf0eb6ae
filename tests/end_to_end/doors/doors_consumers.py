"""One conversation for every door."""

from __future__ import annotations

from fairway import Conversation, route_class

urlpatterns: list[object] = []


class Room(Conversation):
    """Greets, repeats to everybody, and counts what each peer says."""

    groups = ("room",)

    def connected(self) -> None:
        self.reply(f"welcome over {self.protocol}")

    def received(self) -> None:
        text = self.message.text
        if text == "bye":
            self.close()
            return
        self.state["said"] = self.state.get("said", 0) + 1
        self.broadcast("room", f"{self.protocol} {self.state['said']}: {text}")

    def disconnected(self) -> None:
        self.broadcast("room", f"{self.protocol} left")


routes = [route_class(Room)]
