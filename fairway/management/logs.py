"""What commands print: log records of fairway, coloured when they are about events."""

from __future__ import annotations

import logging
import sys

from django.core.management.color import color_style

__all__ = ["EventFormatter", "log_to_console"]

ACCESS = "fairway.access"
"""The logger that gets a record for each event a user of runserver wants to see."""


class EventFormatter(logging.Formatter):
    """One line per event of any protocol, in the colours of Django's runserver."""

    def __init__(self) -> None:
        super().__init__(datefmt="%d/%b/%Y %H:%M:%S")
        self._style_of = color_style()

    def format(self, record: logging.LogRecord) -> str:
        """Return `[time] PROTOCOL what path status [seconds, client]`."""
        protocol = getattr(record, "protocol", "")
        time = self.formatTime(record, self.datefmt)
        if getattr(record, "what", None) is None:  # no event, if maybe about a peer
            text = super().format(record)
            return f"[{time}] {record.levelname} {record.name}: {text}"
        status = getattr(record, "status", None)
        seconds = getattr(record, "seconds", None)
        words = [protocol.upper() if len(protocol) < 6 else protocol.capitalize()]
        words += [
            _printable(str(word))
            for name in ("what", "path")
            if (word := getattr(record, name, None))
        ]
        if status is not None:
            words.append(str(status))
        origin = getattr(record, "client", "")
        took = f"{seconds:.2f}, " if seconds is not None else ""
        return self._colour(f"[{time}] {' '.join(words)} [{took}{origin}]", status)

    def _colour(self, line: str, status: int | None) -> str:
        names = {
            1: "HTTP_INFO",
            2: "HTTP_SUCCESS",
            3: "HTTP_REDIRECT",
            4: "HTTP_BAD_REQUEST",
            5: "HTTP_SERVER_ERROR",
        }
        name = "HTTP_INFO"
        if status is not None:
            name = names.get(status // 100, "HTTP_INFO")
            if status == 404:
                name = "HTTP_NOT_FOUND"
            elif status == 304:
                name = "HTTP_NOT_MODIFIED"
        colour = getattr(self._style_of, name)
        return str(colour(line))


def log_to_console(verbosity: int = 1, *, access: int = 1) -> None:
    """Print fairway's log records to standard error, unless the site does so already.

    Args:
        verbosity: 0 for warnings, 1 for what happens, 2 and more for details.
        access: the verbosity from which on each event of a client is a line, too.
    """
    logger = logging.getLogger("fairway")
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG)
    if logger.handlers or logger.level != logging.NOTSET:
        return
    console = logging.StreamHandler(sys.stderr)
    console.setFormatter(EventFormatter())
    logger.addHandler(console)
    logger.setLevel(level)
    logger.propagate = False
    lines = logging.getLogger(ACCESS)
    if verbosity < access and lines.level == logging.NOTSET:
        lines.setLevel(logging.WARNING)


def _printable(text: str) -> str:
    """Escape what would move the cursor or colour the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
