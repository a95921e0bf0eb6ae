"""One conversation for people on IRC, things on MQTT and pages on WebSocket."""

from __future__ import annotations

from fairway import Conversation, route_class

urlpatterns: list[object] = []


class Meeting(Conversation):
    """Repeats to everybody what anybody says."""

    groups = ("meeting",)

    def connected(self) -> None:
        self.reply(f"welcome over {self.protocol}")

    def received(self) -> None:
        if self.message.text == "bye":
            self.close()
            return
        self.state["said"] = self.state.get("said", 0) + 1
        said = f"{self.protocol} {self.state['said']}: {self.message.text}"
        self.broadcast("meeting", said)


routes = [route_class(Meeting)]
