"""A terminal that shows one frame after another until somebody presses q."""

from __future__ import annotations

import os
import select
import shutil
import sys
import termios
import tty
from collections.abc import Sequence
from types import TracebackType
from typing import TextIO

__all__ = ["Screen"]

_ENTER = "\x1b[?1049h\x1b[?25l"
"""The alternate screen, without a cursor."""
_LEAVE = "\x1b[?25h\x1b[?1049l"
_HOME = "\x1b[H"
_REST = "\x1b[J"
_LINE_END = "\x1b[K\r\n"


class Screen:
    """A terminal for the time of a `with` block; then it is as it was before.

    Args:
        out: the terminal.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._keys = sys.stdin.fileno()

    def show(self, lines: Sequence[str]) -> None:
        """Show as much of the lines as there is room for."""
        columns, rows = shutil.get_terminal_size()
        shown = [line[:columns] for line in lines[: rows - 1]]
        self._out.write(_HOME + "".join(line + _LINE_END for line in shown) + _REST)
        self._out.flush()

    def left(self, seconds: float) -> bool:
        """Wait, and return at once and True when somebody wants to leave."""
        ready, _, _ = select.select([self._keys], [], [], seconds)
        return bool(ready) and os.read(self._keys, 64)[:1] in (b"", b"q", b"Q", b"\x03")

    def __enter__(self) -> Screen:
        self._before = termios.tcgetattr(self._keys)
        tty.setcbreak(self._keys)
        self._out.write(_ENTER)
        self._out.flush()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)
        self._out.write(_LEAVE)
        self._out.flush()
