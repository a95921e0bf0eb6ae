"""`fairway routes`: which consumer gets what."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from fairway.core.assembly import assemble
from fairway.management.subcommands.contract import Subcommand
from fairway.management.subcommands.table import print_table

__all__ = ["Routes"]


class Routes(Subcommand):
    """Shows the site's routes, and behind them the default ones of protocols."""

    name = "routes"
    help = "Routes in the order they are tried."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add nothing."""

    def run(self, console: BaseCommand, options: dict[str, Any]) -> None:
        """Print one row for each route."""
        rows = assemble().router.describe()
        print_table(console, ("channel", "filters", "consumer"), rows)
