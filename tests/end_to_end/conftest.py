"""Fixtures of tests with a browser."""

from tests.support.browser import browser

__all__ = ["browser"]
