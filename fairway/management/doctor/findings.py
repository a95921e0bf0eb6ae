"""All that the doctor can find, with a stable code and a remedy for each."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = ["KINDS", "LEVELS", "Finding", "Kind", "Level", "found"]

Level: TypeAlias = Literal["info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("info", "warning", "error")
"""From harmless to grave."""


class Kind(Struct, frozen=True):
    """One thing that may be wrong."""

    code: str
    level: Level
    title: str
    """What is wrong, for the table of codes."""
    fix: str
    """What to do about it."""


class Finding(Struct, frozen=True):
    """What is wrong with this site."""

    code: str
    level: Level
    text: str
    """One line, without secrets."""
    fix: str


def found(code: str, text: str) -> Finding:
    """Return a finding of a kind.

    Raises:
        KeyError: there is no such code.
    """
    kind = KINDS[code]
    return Finding(code, kind.level, text, kind.fix)


_SITE = (
    Kind(
        "fairway.D001", "warning", "`DEBUG` is on", "Set DEBUG = False in production."
    ),
    Kind(
        "fairway.D002",
        "error",
        "`ALLOWED_HOSTS` is empty and `DEBUG` is off",
        "Name the site's hosts in ALLOWED_HOSTS; until then all requests get 400.",
    ),
    Kind(
        "fairway.D003",
        "warning",
        "`ALLOWED_HOSTS` allows every host",
        "Name the site's hosts: whoever picks the Host header picks links in mails.",
    ),
    Kind(
        "fairway.D004",
        "warning",
        "`SECRET_KEY` is short, has few different characters, or is a generated one "
        "for development",
        "Set a random SECRET_KEY of 50 characters or more.",
    ),
    Kind(
        "fairway.D005",
        "warning",
        "A package has a version outside of the range that fairway declares",
        "Install a version in that range.",
    ),
    Kind(
        "fairway.D006",
        "warning",
        "A route takes a channel that no enabled plugin emits",
        "Enable the plugin, or correct the channel; to send there yourself is fine.",
    ),
    Kind(
        "fairway.D007",
        "warning",
        "A trusted proxy stands for very many addresses",
        "Name the proxies' own addresses in trusted_proxies: each of those that are "
        "named may say who its client is.",
    ),
    Kind(
        "fairway.D008",
        "warning",
        "http listens to Unix sockets only, and no proxy there is trusted",
        'Add "unix" to trusted_proxies; else all clients look like one.',
    ),
    Kind(
        "fairway.D009",
        "info",
        "The layer is `memory://`",
        "For processes of their own set LAYER to one that is shared, such as Redis.",
    ),
)

_LAYER = (
    Kind(
        "fairway.D101",
        "error",
        "The channel layer cannot be reached",
        "Start it, or correct the host, port and database in LAYER.",
    ),
    Kind(
        "fairway.D102",
        "error",
        "Redis refuses the credentials, or a command that fairway needs",
        "Correct the user and password in LAYER, or the user's rights (ACL).",
    ),
    Kind("fairway.D103", "error", "Redis is too old", "Install Redis 7.0 or later."),
    Kind(
        "fairway.D104", "error", "The server is a replica", "Name the master in LAYER."
    ),
    Kind(
        "fairway.D105",
        "error",
        "Redis may evict keys when its memory is full",
        "Set maxmemory-policy noeviction: an evicted key is a queue that vanishes.",
    ),
    Kind(
        "fairway.D106",
        "error",
        "Redis has almost no memory left below its `maxmemory`",
        "Raise maxmemory, or see what fills it: at the limit all sends fail.",
    ),
    Kind(
        "fairway.D107",
        "warning",
        "Redis syncs every write to disk",
        "Set appendonly no, or appendfsync everysec: each send waits for the disk.",
    ),
    Kind(
        "fairway.D108",
        "info",
        "Redis saves snapshots",
        'Set save "" on a server for fairway alone: messages of a restarted server are '
        "never delivered, and each snapshot forks the process.",
    ),
    Kind(
        "fairway.D109",
        "error",
        "Redis refuses writes because its last snapshot failed",
        'Mend the disk, or set save "" or stop-writes-on-bgsave-error no.',
    ),
    Kind(
        "fairway.D110",
        "warning",
        "Redis closes connections that are idle for a few seconds",
        "Set timeout 0, or to 60 and more.",
    ),
    Kind(
        "fairway.D111",
        "warning",
        "Redis cuts connections that have much to read",
        "Set client-output-buffer-limit normal 0 0 0, or at least 64 MB.",
    ),
    Kind(
        "fairway.D112",
        "warning",
        "Redis has almost as many clients as it takes",
        "Raise maxclients, and the descriptors that the server may open.",
    ),
    Kind(
        "fairway.D113",
        "warning",
        "The clocks of Redis and of this machine differ",
        "Let a time service set both: times in the logs do not agree.",
    ),
    Kind(
        "fairway.D114",
        "info",
        "Redis does not tell its configuration or its clients",
        "Allow the user CONFIG GET, INFO and CLIENT LIST, or check them by hand.",
    ),
    Kind(
        "fairway.D115",
        "error",
        "Records wait that this version of fairway cannot read",
        "Let workers of the version that wrote them take them, or let them expire.",
    ),
)

_TRAFFIC = (
    Kind("fairway.D201", "error", "No worker is running", "Start manage.py runworker."),
    Kind(
        "fairway.D202",
        "error",
        "Workers are running, but none listens to a channel of the site",
        "Start a worker whose --only and --exclude leave the channel in.",
    ),
    Kind(
        "fairway.D203",
        "warning",
        "A worker has not asked for messages for some time",
        "See what its threads do: all of them are busy, or it hangs.",
    ),
    Kind(
        "fairway.D204",
        "warning",
        "A worker listens to a channel that is none of the site's",
        "Restart it: it runs with other settings or routes than these.",
    ),
    Kind(
        "fairway.D205",
        "warning",
        "No interface server is running",
        "Start manage.py runinterface.",
    ),
    Kind(
        "fairway.D206",
        "warning",
        "A channel is almost full",
        "Start more workers, or see what slows their consumers down.",
    ),
    Kind(
        "fairway.D207",
        "warning",
        "Messages have waited for half of their life",
        "Start more workers, or see what slows their consumers down.",
    ),
)

_MACHINE = (
    Kind(
        "fairway.D301",
        "warning",
        "A process may open fewer descriptors than `LIMITS` allow peers",
        "Raise the hard limit (ulimit -Hn, LimitNOFILE=), or lower peers in LIMITS.",
    ),
    Kind(
        "fairway.D302",
        "error",
        "The directory of spooled bodies cannot be written to",
        "Set spool_dir of http to a directory that its user may write to.",
    ),
    Kind(
        "fairway.D303",
        "warning",
        "The directory of spooled bodies has less room than `spool_total`",
        "Make room, move spool_dir, or lower spool_total.",
    ),
    Kind(
        "fairway.D304",
        "error",
        "Another program has an address of `bind`, or it cannot be had",
        "End the program, or bind another address.",
    ),
)

KINDS = {kind.code: kind for kind in (*_SITE, *_LAYER, *_TRAFFIC, *_MACHINE)}
