"""The plugin's section in the settings."""

import re

from fairway import kit
from fairway_irc.lines import is_nick


class Irc(kit.Config, frozen=True, kw_only=True):
    """`FAIRWAY["PLUGINS"]["irc"]`."""

    bind: tuple[str, ...] = ("tcp:6667:interface=127.0.0.1",)
    """Endpoint strings; `ssl:6697:privateKey=...:certKey=...` for TLS."""
    name: str = "irc.fairway"
    """What the server calls itself."""
    nick: str = "site"
    """Who texts come from, and whom a client writes to outside of channels."""
    channels: int = 20
    """Channels that one client may be in at once."""
    longest: int = 4096
    """Bytes of one line of a client."""
    sign_on: float = 20.0
    """Seconds from the connection to the welcome, the consumer's answer included."""
    idle: float = 120.0
    """Seconds of silence before a PING, and again before the connection is closed."""

    def check(self) -> None:
        """Refuse names that would break the lines that carry them."""
        if not re.fullmatch(r"[A-Za-z0-9.-]{1,63}", self.name):
            raise kit.ConfigurationError("name", "must be a host name")
        if not is_nick(self.nick):
            raise kit.ConfigurationError("nick", "must be a nick of IRC")
