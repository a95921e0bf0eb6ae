"""`manage.py fairway`: looks at a site, and at what it does while it runs."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from fairway.core.exceptions import nearest
from fairway.management.mistakes import told_in_one_message
from fairway.management.subcommands.contract import Subcommand
from fairway.management.subcommands.doctor import Doctor
from fairway.management.subcommands.plugins import InstalledPlugins
from fairway.management.subcommands.protocols import Protocols
from fairway.management.subcommands.routes import Routes
from fairway.management.subcommands.send import SendMessage
from fairway.management.subcommands.startplugin import StartPlugin
from fairway.management.subcommands.top import Top

SUBCOMMANDS: dict[str, Subcommand] = {
    subcommand.name: subcommand
    for subcommand in (
        Protocols(),
        InstalledPlugins(),
        Routes(),
        Doctor(),
        Top(),
        SendMessage(),
        StartPlugin(),
    )
}


class Command(BaseCommand):
    """`fairway protocols | plugins | routes | doctor | top | send | startplugin`."""

    help = "Shows a site and how it does, sends messages, begins plugins."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the subcommands."""
        commands = parser.add_subparsers(
            dest="subcommand", required=True, metavar="SUBCOMMAND"
        )
        for name, subcommand in SUBCOMMANDS.items():
            own = commands.add_parser(
                name, help=subcommand.help, description=subcommand.__doc__
            )
            subcommand.add_arguments(own)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run, after Django's system checks where the subcommand needs a sound site."""
        if not SUBCOMMANDS[options["subcommand"]].checks_site:
            options["skip_checks"] = True
        return super().execute(*args, **options)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run as a program; tells the nearest subcommand of what is mistyped."""
        name = argv[2] if len(argv) > 2 else "-"
        if name not in SUBCOMMANDS and not name.startswith("-"):
            close = nearest(name, SUBCOMMANDS)
            hint = f" Did you mean {close!r}?" if close else ""
            self._called_from_command_line = True
            self.create_parser(argv[0], argv[1]).error(
                f"{name!r} is no subcommand.{hint} There are {', '.join(SUBCOMMANDS)}."
            )
        super().run_from_argv(argv)

    @told_in_one_message()
    def handle(self, *args: Any, **options: Any) -> None:
        """Run the subcommand that was asked for."""
        SUBCOMMANDS[options["subcommand"]].run(self, options)
