"""Lets a process speak version 1 of the bus only, by the module of that time."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import NamedTuple

from tests.faults.old import record_1
from tests.faults.old.record_1 import Body, Kind

__all__ = ["install"]

_NAME = "fairway.core.bus.record"


def install() -> None:
    """Put the old module where fairway looks for records; before fairway is loaded."""
    module = ModuleType(_NAME)
    module.__dict__.update(vars(record_1), Record=_Record, pack=_pack, unpack=_unpack)
    module.__dict__["Answer"] = _Answer
    sys.modules[_NAME] = module


class _Record(NamedTuple):
    kind: Kind
    body: Body
    deadline: float
    sent: None


class _Answer:
    """What did not exist; nothing is one."""


def _pack(kind: Kind, body: Body, sent: float, *, life: float, version: int) -> bytes:
    return record_1.pack(kind, body, sent + life)


def _unpack(record: bytes) -> _Record:
    kind, body, deadline = record_1.unpack(record)
    return _Record(kind, body, deadline, None)
