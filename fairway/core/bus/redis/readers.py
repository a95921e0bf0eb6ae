"""How everybody sees who takes from which queues: by the names of connections.

A reader names its connection once, when it is made. The server forgets the name with
the connection, so nobody has to renew or to clean up anything.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.core.bus.layer import Reader
from fairway.core.bus.redis.resp import Command

__all__ = ["LIST", "introduce", "read_list"]

LIST: Command = ("CLIENT", "LIST", "TYPE", "normal")
_PREFIX = "fairway:"


def introduce(queues: Iterable[str]) -> Command:
    """Return the command with which a reader says what it takes from."""
    return ("CLIENT", "SETNAME", _PREFIX + ",".join(queues))


def read_list(answer: bytes, database: int) -> list[Reader] | None:
    """Return the readers in the answer to `LIST`.

    Returns None when somebody waits on queues without a name, as readers do that may
    not name their connections: then nobody can tell who is missing.
    """
    readers = []
    for line in answer.decode("utf-8", "replace").splitlines():
        facts = dict(pair.split("=", 1) for pair in line.split(" ") if "=" in pair)
        if facts.get("db") != str(database):
            continue
        name = facts.get("name", "")
        if name.startswith(_PREFIX):
            queues = tuple(name.removeprefix(_PREFIX).split(","))
            readers.append(Reader(queues, float(facts.get("idle", 0))))
        elif not name and facts.get("cmd") == "blmpop":
            return None
    return readers
