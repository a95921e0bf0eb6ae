"""Fixtures of http's tests."""

from tests.support.loop import loop_thread

__all__ = ["loop_thread"]
