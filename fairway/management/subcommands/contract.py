"""What a subcommand of `manage.py fairway` is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from argparse import ArgumentParser
from typing import Any, ClassVar

from django.core.management.base import BaseCommand

__all__ = ["Subcommand"]


class Subcommand(ABC):
    """One subcommand; its class docstring is what `--help` says about it."""

    name: ClassVar[str]
    help: ClassVar[str]
    """One line for the list of subcommands."""
    checks_site: ClassVar[bool] = True
    """Whether Django's system checks have to pass before it runs."""

    @abstractmethod
    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add its options."""

    @abstractmethod
    def run(self, console: BaseCommand, options: dict[str, Any]) -> None:
        """Do it, and print to the console.

        Raises:
            FairwayError: a setting is wrong, or the channel layer cannot be reached.
            CommandError: it cannot be done.
        """
