"""Conversations over UDP: `join`, `say ...`, `count`, `long`; the rest is echoed."""

from typing import Any

from fairway import Conversation, route_class

urlpatterns: list[Any] = []


class Talk(Conversation):
    def connected(self) -> None:
        if self.message.bytes == b"join":
            self.reply("welcome")

    def received(self) -> None:
        match self.message.bytes.partition(b" "):
            case (b"join", _, _):
                self.state["name"] = self.message.client
                self.join("room")
            case (b"say", _, what):
                self.broadcast("room", what)
            case (b"count", _, _):
                self.state["count"] = self.state.get("count", 0) + 1
                self.reply(str(self.state["count"]))
            case (b"long", _, _):
                self.reply("x" * 1_000)
            case _:
                self.reply(self.message.bytes)

    def disconnected(self) -> None:
        self.broadcast("room", f"{self.state.get('name')} left")


routes = [route_class(Talk)]
