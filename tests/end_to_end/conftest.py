"""Fixtures of tests with a browser, and with plugins that are installed apart."""

from tests.examples_plugins.conftest import installed
from tests.support.browser import browser

__all__ = ["browser", "installed"]
