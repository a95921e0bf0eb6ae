"""Lets a process speak version 1 of the bus only, by the module of that time."""

from __future__ import annotations

import sys
from types import ModuleType

from tests.faults.old import record_1
from tests.faults.old.record_1 import Body, Kind

__all__ = ["install"]

_NAME = "fairway.core.bus.record"


def install() -> None:
    """Put the old module where fairway looks for records; before fairway is loaded."""
    module = ModuleType(_NAME)
    module.__dict__.update(
        vars(record_1),
        Answer=_Answer,
        pack=_pack,
        pack_body=record_1._encode,
        pack_header=_pack_header,
        unpack=_unpack,
    )
    # A kind that did not exist: nothing is of it.
    type.__setattr__(Kind, "ANSWER", None)
    sys.modules[_NAME] = module


class _Answer:
    """What did not exist; nothing is one."""


def _pack(kind: Kind, body: Body, sent: float, *, life: float, version: int) -> bytes:
    return record_1.pack(kind, body, sent + life)


def _pack_header(kind: Kind, sent: float, *, life: float, version: int) -> bytes:
    deadline = max(0, int((sent + life) * 1000))
    return record_1._HEADER.pack(record_1.VERSION, kind, deadline)


def _unpack(record: bytes) -> tuple[Kind, Body, float, None]:
    return (*record_1.unpack(record), None)
