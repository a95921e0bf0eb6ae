"""Who comes in by which door, and what becomes of what they say."""

from __future__ import annotations

from fairway import Conversation, Group, Message
from harbour.models import MAX_NAME, latest
from harbour.room import FEEDS, LINES, PAGES, as_json, count, say, tell_presence

SHOWN_TO_TERMINALS = 10
SHOWN_TO_PHONES = 3
ONE_BY_ONE = {"sms", "udp"}
"""Protocols whose messages cost, or may get lost: they are welcomed by a single one."""
NOT_THERE = {"undelivered", "failed", "given_up"}
HELP = "Say something, or: /name NAME to be called so, /who to see how many are here."


class Room(Conversation):
    """The room, for every protocol with a peer to talk to."""

    def connected(self) -> None:
        """Join, and show what was said before."""
        self.state["name"] = f"guest-{self.peer[-4:].lower()}"
        self.enter()
        welcome = f"You are {self.state['name']}. {HELP}"
        if self.is_page:
            self.reply(as_json("you", name=self.state["name"]))
            self.reply(as_json("history", posts=[post.as_dict() for post in latest()]))
        elif self.protocol in ONE_BY_ONE:
            before = latest(SHOWN_TO_PHONES)
            self.reply("\n".join((*map(str, before), welcome)))
        else:
            for post in latest(SHOWN_TO_TERMINALS):
                self.reply(str(post))
            self.note(welcome)
        tell_presence()

    def received(self) -> None:
        """Do what a command asks for; anything else is said to everybody."""
        # fairway itself sees to it that a phone that said STOP gets nothing any more.
        keyword = self.message.get("keyword")
        if keyword == "stop":
            Group(LINES).discard(self.message.reply_channel, immediately=True)
            tell_presence()
            return
        if self.message.is_shared and not self.message.is_first:
            self.enter()  # nobody but its own texts keeps a phone in the room
        text = self.message.text.strip()
        command, _, rest = text.partition(" ")
        if command == "/name" and rest.strip():
            self.state["name"] = rest.strip()[:MAX_NAME]
            self.note("" if self.is_page else f"You are {self.state['name']}.")
        elif command == "/who":
            self.note(f"{count()} here.")
        elif command.startswith("/") or keyword:
            self.note(HELP)
        elif text:
            # A phone shows what was typed there, and so does nc.
            own = [self.message.reply_channel] if self.protocol in ONE_BY_ONE else []
            say(self.state["name"], text, self.protocol, exclude=own)

    def disconnected(self) -> None:
        """Let the others see that somebody has left."""
        tell_presence()

    def enter(self) -> None:
        """Become a member of the room."""
        Group(PAGES if self.is_page else LINES).add(
            self.message.reply_channel, immediately=True
        )

    @property
    def is_page(self) -> bool:
        """Whether the peer is this site's page, which is sent JSON; else a terminal."""
        return bool(self.kwargs.get("page"))

    def note(self, text: str) -> None:
        """Tell this peer alone."""
        if self.is_page:
            self.reply(as_json("note", text=text))
        elif text:
            self.reply(text)


def open_feed(message: Message) -> None:
    """Begin a response that does not end: each post is a further piece of it.

    The consumer ends at once. No thread waits with the client.
    """
    before = "".join(f"{post}\n" for post in latest(SHOWN_TO_TERMINALS))
    message.reply_channel.send(
        {
            "status": 200,
            "headers": [[b"Content-Type", b"text/plain; charset=utf-8"]],
            "content": before.encode(),
            "more_content": True,
        },
        immediately=True,
    )
    Group(FEEDS).add(message.reply_channel, immediately=True)
    tell_presence()


def feed_left(message: Message) -> None:
    """Let the others see that a reader has left."""
    tell_presence()


def text_reported(message: Message) -> None:
    """Text a phone no more that cannot be reached, until it texts again."""
    if message["status"] in NOT_THERE:
        Group(LINES).discard(message.reply_channel, immediately=True)
        tell_presence()
