"""A counter for phones, and for whatever else speaks text."""

import logging

from fairway import Conversation, Message, route, route_class

log = logging.getLogger(__name__)


class Counter(Conversation):
    def connected(self) -> None:
        self.reply("Text me a number, and I will add it up.")

    def received(self) -> None:
        if self.message.get("keyword"):
            return  # STOP, START or HELP: the plugin has done what must be done
        self.state["sum"] = self.state.get("sum", 0) + int(self.message.text)
        self.reply(f"That makes {self.state['sum']}.")


def reported(message: Message) -> None:
    if message["status"] == "given_up":
        log.warning("%s did not get %r", message.peer, message["text"])


channel_routing = [
    route_class(Counter),
    route("sms.status", reported),
]
