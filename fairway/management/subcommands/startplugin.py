"""`fairway startplugin`: a new plugin, as a package that can be installed."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from fairway.core.plugin.loading import installed
from fairway.management.scaffold.names import complaint, package_of
from fairway.management.scaffold.package import KINDS, write_package
from fairway.management.subcommands.contract import Subcommand

__all__ = ["StartPlugin"]


class StartPlugin(Subcommand):
    """Writes a protocol plugin as a typed package with tests, ready to be installed."""

    name = "startplugin"
    help = "Write a new protocol plugin."
    checks_site = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "plugin",
            metavar="NAME",
            help="The plugin's name, a word: also that of its protocol.",
        )
        parser.add_argument(
            "--kind",
            choices=KINDS,
            default="stream",
            metavar="KIND",
            help="What the protocol runs on: stream (connections, the default), "
            "datagram, or webhook (requests of a provider).",
        )
        parser.add_argument(
            "--directory",
            type=Path,
            metavar="DIR",
            help="Where to write it; must not exist. fairway-NAME by default.",
        )

    def run(self, console: BaseCommand, options: dict[str, Any]) -> None:
        """Write the package, and say how to go on."""
        name, kind = options["plugin"], options["kind"]
        if (reason := complaint(name, _taken())) is not None:
            raise CommandError(reason)
        distribution = package_of(name).replace("_", "-")
        folder: Path = options["directory"] or Path(distribution)
        try:
            written = write_package(name, kind, folder)
        except OSError as error:
            raise CommandError(
                f"{folder} cannot be made: {error.strerror}. Nothing was written over."
            ) from error
        for path in written:
            console.stdout.write(f"  {path}")
        console.stdout.write(
            f"\nNow, in {folder}:\n"
            "  pip install -e '.[test]'\n"
            "  pytest\n"
            f'and add "{name}" to FAIRWAY["PLUGINS"].'
        )


def _taken() -> dict[str, str]:
    """Return the names of plugins that exist here, and whose they are."""
    given = getattr(settings, "FAIRWAY", None) or {}
    enabled = {
        key.replace(":", ".").rpartition(".")[2]: f"{key}, which is enabled"
        for key in given.get("PLUGINS", {})
    }
    return {**enabled, **installed()}
