"""Commands and answers as they stand on the wire (RESP 2), by hiredis."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any, TypeAlias

import hiredis

__all__ = [
    "TIME",
    "Answer",
    "Answers",
    "Command",
    "LinkDown",
    "Missing",
    "ReplyError",
    "checked",
    "explain",
    "is_outdated",
    "is_refusal",
    "pack",
]

Command: TypeAlias = tuple[str | bytes | int | float, ...] | bytes
"""Its parts, or, for one that is written again and again, what `pack` made of it."""
Answer: TypeAlias = Any
"""bytes, int, None, a list of these, a `ReplyError`, or a `Missing`."""
ReplyError = hiredis.ReplyError

TIME: Command = ("TIME",)
"""Asks for the server's clock."""

_NOT_YET = object()
_REFUSALS = frozenset(
    {
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "NOAUTH",
        "NOPERM",
        "NOREPLICAS",
        "NOSCRIPT",
        "OOM",
        "READONLY",
        "WRONGPASS",
    }
)
_OUTDATED = frozenset({"MASTERDOWN", "NOAUTH", "NOSCRIPT", "READONLY"})


class Missing(Enum):
    """Stands where a command has no answer."""

    NOT_WRITTEN = "not written"
    """The server cannot have seen it."""
    NO_ANSWER = "no answer"
    """It was written, and may have been carried out."""


class LinkDown(Exception):
    """A connection cannot be made, or was lost.

    Attributes:
        reason: what happened, for people.
        written: whether the server may have seen the last commands.
    """

    def __init__(self, reason: str, *, written: bool = False) -> None:
        self.reason = reason
        self.written = written
        super().__init__(reason)


class Answers:
    """Cuts what a server sends into answers."""

    __slots__ = ("_reader",)

    def __init__(self) -> None:
        self._reader = hiredis.Reader(notEnoughData=_NOT_YET)

    def feed(self, received: bytes | bytearray, size: int) -> list[Answer]:
        """Take the first `size` bytes and return the answers that are complete.

        Raises:
            LinkDown: whoever sends this is no Redis server.
        """
        complete: list[Answer] = []
        try:
            self._reader.feed(received, 0, size)  # type: ignore[arg-type]
            while (answer := self._reader.gets()) is not _NOT_YET:
                complete.append(answer)
        except hiredis.ProtocolError as error:
            raise LinkDown(f"this is no Redis: {error}", written=True) from None
        return complete


def pack(commands: Iterable[Command]) -> bytes:
    """Write commands."""
    packed = [
        command if isinstance(command, bytes) else hiredis.pack_command(command)  # type: ignore[arg-type]
        for command in commands
    ]
    return b"".join(packed)


def is_refusal(error: ReplyError) -> bool:
    """Return whether an error says that the command was not carried out at all.

    Redis looks for these before the first write of a script.
    """
    return str(error).partition(" ")[0] in _REFUSALS


def is_outdated(error: ReplyError) -> bool:
    """Return whether the server is no longer what it was when it was greeted."""
    return str(error).partition(" ")[0] in _OUTDATED


def explain(error: ReplyError) -> str:
    """Return an error in words for the operator."""
    text = str(error)
    match text.partition(" ")[0]:
        case "WRONGPASS":
            return "wrong username or password"
        case "NOAUTH":
            return "the server wants a password, and the URL has none"
        case "LOADING":
            return "the server is still loading its data"
        case "READONLY":
            return "the server is a read-only replica"
        case _:
            return text


def checked(answers: list[Answer], failure: str | None) -> list[Answer]:
    """Return answers that are all there.

    Args:
        failure: why the connection was lost, if it was.

    Raises:
        LinkDown: one is missing, or an error.
    """
    for answer in answers:
        if isinstance(answer, ReplyError):
            raise LinkDown(explain(answer), written=not is_refusal(answer))
        if isinstance(answer, Missing):
            reason = failure or answer.value
            raise LinkDown(reason, written=answer is Missing.NO_ANSWER)
    return answers
