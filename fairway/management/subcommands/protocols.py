"""`fairway protocols`: what the enabled protocols emit, understand and allow."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand

from fairway.core.assembly import assemble
from fairway.core.plugin.loading import LoadedProtocol
from fairway.core.settings import Secret, Settings
from fairway.management.subcommands.contract import Subcommand
from fairway.management.subcommands.table import print_table

__all__ = ["Protocols"]

_LIMIT = "max_"
"""How the names of sizes and counts begin in sections of plugins."""


class Protocols(Subcommand):
    """Shows each enabled protocol with its events, reply keys, settings and limits."""

    name = "protocols"
    help = "Enabled protocols: events, reply keys, limits."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add nothing."""

    def run(self, console: BaseCommand, options: dict[str, Any]) -> None:
        """Print the protocols in order of their names, then the limits of all."""
        assembly = assemble()
        protocols = [
            protocol for _, protocol in sorted(assembly.plugins.protocols.items())
        ]
        for protocol in protocols:
            _show(console, protocol)
        _show_limits(console, protocols, assembly.settings)


def _show(console: BaseCommand, protocol: LoadedProtocol) -> None:
    spec = protocol.spec
    title = f"{spec.name}  {spec.summary}"
    console.stdout.write(console.style.MIGRATE_HEADING(title))
    console.stdout.write(
        f"  plugin {protocol.plugin}, peers {spec.peers}, ordering {spec.ordering}"
    )
    print_table(
        console,
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
    console.stdout.write(f"  replies: {_keys(spec.replies)}")
    section = msgspec.structs.asdict(protocol.config)
    others = {
        name: value
        for name, value in section.items()
        if name != "limits" and not name.startswith(_LIMIT)
    }
    console.stdout.write(f"  settings: {_pairs(others)}\n")


def _show_limits(
    console: BaseCommand, protocols: list[LoadedProtocol], settings: Settings
) -> None:
    """Print one table: limits of every protocol, and those of single ones."""
    columns = [_limits(protocol, settings) for protocol in protocols]
    names = dict.fromkeys(name for column in columns for name in column)
    console.stdout.write(console.style.MIGRATE_HEADING("limits"))
    print_table(
        console,
        ("", *(protocol.spec.name for protocol in protocols)),
        [(name, *(column.get(name, "-") for column in columns)) for name in names],
    )


def _limits(protocol: LoadedProtocol, settings: Settings) -> dict[str, Any]:
    section = msgspec.structs.asdict(protocol.config)
    common: dict[str, Any] = msgspec.structs.asdict(settings.limits)
    own = {name: value for name, value in section.items() if name.startswith(_LIMIT)}
    return {**common, **section["limits"], "max_content": settings.max_content, **own}


def _keys(keys: Any) -> str:
    return ", ".join(
        f"{key}: {getattr(kind, '__name__', kind)}" for key, kind in keys.items()
    )


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{key}={'***' if isinstance(value, Secret) else value!r}"
        for key, value in values.items()
    )
