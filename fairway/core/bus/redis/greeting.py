"""The first exchange of every connection: log in, look at the server, load scripts."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.core.bus.redis.address import Address
from fairway.core.bus.redis.keys import Keys
from fairway.core.bus.redis.resp import Answer, Command, LinkDown, ReplyError, explain
from fairway.core.bus.redis.scripts import SCRIPTS

__all__ = ["CONNECT_TIMEOUT", "greeting", "read_greeting"]

CONNECT_TIMEOUT = 2.0
"""Seconds that connecting and greeting may take."""
_OLDEST = 7
"""The first version with BLMPOP."""


def greeting(address: Address) -> list[Command]:
    """Return the commands of the first exchange."""
    commands: list[Command] = []
    if address.username:
        commands.append(("AUTH", address.username, address.password))
    elif address.password:
        commands.append(("AUTH", address.password))
    commands.append(("SELECT", address.database))
    commands += [("SCRIPT", "LOAD", script.text) for script in SCRIPTS]
    return [*commands, ("INFO", "replication"), ("INFO", "server")]


def read_greeting(answers: Sequence[Answer]) -> Keys:
    """Return the key space of the server that answered.

    Raises:
        LinkDown: it cannot be used; says why.
    """
    for answer in answers:
        if isinstance(answer, ReplyError):
            raise LinkDown(explain(answer))
    facts = _facts(answers[-1]) | _facts(answers[-2])
    version = facts.get("redis_version", "0")
    if int(version.partition(".")[0]) < _OLDEST:
        raise LinkDown(f"Redis {_OLDEST} or later is needed, this is {version}")
    if facts.get("role") == "slave":
        raise LinkDown("the server is a read-only replica")
    if not (run_id := facts.get("run_id")):
        raise LinkDown("the server tells no run_id")
    return Keys(run_id)


def _facts(answer: bytes) -> dict[str, str]:
    lines = answer.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
