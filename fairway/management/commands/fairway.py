"""`manage.py fairway`: shows what is installed, enabled and routed."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from django.core.management.base import BaseCommand

from fairway.core.assembly import Assembly, assemble
from fairway.core.plugin.loading import installed
from fairway.core.settings import Secret
from fairway.management.mistakes import told_in_one_message

Row = Sequence[object]


class Command(BaseCommand):
    """`fairway protocols | plugins | routes`."""

    help = "Shows the site's protocols, plugins and routes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add one subcommand for each table."""
        commands = parser.add_subparsers(dest="table", required=True)
        commands.add_parser(
            "protocols", help="Enabled protocols: events, reply keys, limits."
        )
        commands.add_parser("plugins", help="Installed plugins, enabled or not.")
        commands.add_parser("routes", help="Routes in the order they are tried.")

    @told_in_one_message()
    def handle(self, *args: Any, **options: Any) -> None:
        """Print the table that was asked for."""
        assembly = assemble()
        tables = {
            "protocols": self._protocols,
            "plugins": self._plugins,
            "routes": self._routes,
        }
        tables[options["table"]](assembly)

    def _protocols(self, assembly: Assembly) -> None:
        for name, protocol in sorted(assembly.plugins.protocols.items()):
            spec = protocol.spec
            self.stdout.write(self.style.MIGRATE_HEADING(f"{name}  {spec.summary}"))
            self.stdout.write(
                f"  plugin {protocol.plugin}, peers {spec.peers}, "
                f"ordering {spec.ordering}"
            )
            self._table(
                ("event", "keys", "capacity", "patience", ""),
                [
                    (
                        event.channel,
                        _keys(event.keys),
                        event.capacity,
                        f"{event.patience:g} s",
                        event.summary,
                    )
                    for event in spec.events
                ],
            )
            self.stdout.write(f"  replies: {_keys(spec.replies)}")
            section = msgspec.structs.asdict(protocol.config)
            overrides = section.pop("limits")
            limits = msgspec.structs.asdict(assembly.settings.limits) | overrides
            self.stdout.write(f"  settings: {_pairs(section)}")
            self.stdout.write(f"  limits: {_pairs(limits)}\n")

    def _plugins(self, assembly: Assembly) -> None:
        enabled = set(assembly.settings.plugins)
        offered = installed()
        rows = [
            (
                name,
                _state(name, enabled, assembly),
                offered.get(name, "(dotted path)"),
                ", ".join(
                    protocol
                    for protocol, loaded in assembly.plugins.protocols.items()
                    if loaded.plugin == name
                ),
            )
            for name in sorted(enabled | set(offered))
        ]
        self._table(("plugin", "state", "module", "protocols"), rows)

    def _routes(self, assembly: Assembly) -> None:
        self._table(("channel", "filters", "consumer"), assembly.router.describe())

    def _table(self, titles: Row, rows: Iterable[Row]) -> None:
        lines = [[str(cell) for cell in row] for row in (titles, *rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for index, line in enumerate(lines):
            cells = zip(line, widths, strict=True)
            text = "  ".join(cell.ljust(width) for cell, width in cells).rstrip()
            self.stdout.write(f"  {self.style.SUCCESS(text) if index == 0 else text}")


def _keys(keys: Any) -> str:
    return ", ".join(
        f"{key}: {getattr(kind, '__name__', kind)}" for key, kind in keys.items()
    )


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{key}={'***' if isinstance(value, Secret) else value!r}"
        for key, value in values.items()
    )


def _state(name: str, enabled: set[str], assembly: Assembly) -> str:
    if name in assembly.plugins.failed:
        return f"failed: {assembly.plugins.failed[name]}"
    return "enabled" if name in enabled else "installed"
