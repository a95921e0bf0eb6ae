"""Names of keys.

Every key starts with the `run_id` of the serving master, so that a restarted server or
a promoted replica is an empty key space: nothing that was taken is taken again. What
stands in braces decides the slot in a cluster: what one script touches shares it.
"""

from __future__ import annotations

__all__ = ["Keys"]


class Keys:
    """The keys of one key space.

    Args:
        run_id: of the server, as `INFO server` tells.
    """

    __slots__ = ("prefix",)

    def __init__(self, run_id: str) -> None:
        self.prefix = f"fw:{run_id[:8]}:"

    def queue(self, name: str) -> str:
        """Return the list of a channel, or of a mailbox named with its `!`."""
        if name[-1] == "!":
            return f"{self.prefix}m:{{{name[:-1]}}}"
        if "?" in name:
            return f"{self.prefix}q:{{{name}}}"
        return f"{self.prefix}q:{{p0}}:{name}"

    def lease(self, mailbox: str) -> str:
        """Return the string that lives while somebody reads a mailbox."""
        return f"{self.prefix}l:{{{mailbox}}}"

    def group(self, group: str) -> str:
        """Return the set of mailboxes with members in a group."""
        return f"{self.prefix}g:{{{group}}}"

    def members(self, group: str, mailbox: str) -> str:
        """Return the set of local parts of a mailbox in a group."""
        return f"{self.prefix}gm:{{{group}}}:{mailbox}"

    def plain(self, group: str) -> str:
        """Return the sorted set of a group's normal channels, by deadline in ms."""
        return f"{self.prefix}gp:{{{group}}}"

    def claim(self, key: str) -> str:
        """Return the string that lives as long as a claim."""
        return f"{self.prefix}c:{{{key}}}"

    def bell(self, token: str) -> str:
        """Return the list on which a receiver is woken."""
        return f"{self.prefix}w:{{p0}}:{token}"
