"""A client of IRC by Twisted: `irc_client.py PORT CHANNEL TEXT...`.

Joins the channel, says the texts one by one, each when the one before came back, and
prints what happens.
"""

# ruff: noqa: T201
from __future__ import annotations

import sys
from typing import Any

from twisted.internet import protocol, reactor
from twisted.words.protocols import irc


class Guest(irc.IRCClient):
    nickname = "ada"
    lineRate = None  # noqa: N815

    def signedOn(self) -> None:  # noqa: N802
        print("signed on", flush=True)
        self.join(CHANNEL)  # type: ignore[no-untyped-call]

    def joined(self, channel: str) -> None:
        print("joined", channel, flush=True)
        self._say_next()

    def privmsg(self, user: str, channel: str, message: str) -> None:
        print(user.partition("!")[0], channel, message, flush=True)
        if message.startswith("irc "):
            self._say_next()

    def left(self, channel: str) -> None:
        print("left", channel, flush=True)
        self.msg("site", "bye")  # type: ignore[no-untyped-call]

    def irc_ERROR(self, prefix: str, params: list[str]) -> None:  # noqa: N802
        print("error", *params, flush=True)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        print("lost", flush=True)
        reactor.stop()

    def _say_next(self) -> None:
        if TEXTS:
            self.say(CHANNEL, TEXTS.pop(0))  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    _, port, CHANNEL, *TEXTS = sys.argv
    factory: Any = protocol.ClientFactory.forProtocol(Guest)
    reactor.connectTCP("127.0.0.1", int(port), factory)
    reactor.run()
