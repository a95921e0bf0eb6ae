"""Whose message a log line is about: what consumers log carries peer and request.

A filter adds it to each record, two formatters print it; `LOGGING` names both by their
public place, `fairway.logs`. It costs a message nothing but setting a variable: what a
line shows is looked up when one is written.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from msgspec import Struct

from fairway.core.content import Content

__all__ = [
    "Consumed",
    "ContextFilter",
    "JsonFormatter",
    "KeyValueFormatter",
    "consumed",
    "context",
]

FIELDS = ("protocol", "channel", "peer", "request_id", "client", "path")
"""What the filter adds to a record, where it is known."""
_OF_OUTCOME = ("what", "status", "seconds")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_UNQUOTED = _PLAIN | frozenset("._:/+-@!")


class Consumed(Struct, eq=False):
    """A message while it is consumed."""

    channel: str
    content: Content


consumed: ContextVar[Consumed | None] = ContextVar("fairway_consumed", default=None)
"""The message that this thread, or task, consumes."""


def context() -> dict[str, str]:
    """Return what is known of the message that is being consumed; empty if none is.

    For code that hands it on, such as a reporter of errors. Keys are those of `FIELDS`.
    """
    now = consumed.get()
    if now is None:
        return {}
    found: dict[str, str] = {"channel": now.channel}
    for name in ("protocol", "peer", "client", "path", "request_id"):
        if isinstance(value := now.content.get(name), str):
            found[name] = value
    if found.get("protocol") == "http" and "peer" in found:
        # Each request is a peer of its own, unless a proxy knows it by another name.
        found.setdefault("request_id", found["peer"].partition(":")[2])
    return found


class ContextFilter(logging.Filter):
    """Adds the context to records, where they do not have it; keeps all of them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add it."""
        found = context()
        own = getattr(record, "peer", None)
        if own is not None and own != found.get("peer"):
            return True  # a line about somebody else
        for name, value in found.items():
            if getattr(record, name, None) is None:
                setattr(record, name, value)
        return True


class KeyValueFormatter(logging.Formatter):
    """One line per record: `time=... level=... logger=... peer=... message="..."`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; what is not plain is quoted as in JSON."""
        pairs = _fields(self, record).items()
        return " ".join(f"{name}={_quoted(value)}" for name, value in pairs)


class JsonFormatter(logging.Formatter):
    """One JSON object per line, with the same keys."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return json.dumps(_fields(self, record), default=str)


def _fields(formatter: logging.Formatter, record: logging.LogRecord) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "time": formatter.formatTime(record, formatter.datefmt),
        "level": record.levelname,
        "logger": record.name,
    }
    known: Mapping[str, Any] = record.__dict__
    for name in (*FIELDS, *_OF_OUTCOME):
        if (value := known.get(name)) is not None:
            shown[name] = value
    shown["message"] = record.getMessage()
    if record.exc_text:  # made, and stripped of secrets, by a filter
        shown["exception"] = record.exc_text
    elif record.exc_info:
        shown["exception"] = formatter.formatException(record.exc_info)
    return shown


def _quoted(value: Any) -> str:
    text = str(value)
    return text if text and _UNQUOTED.issuperset(text) else json.dumps(text)
