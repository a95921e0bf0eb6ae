"""`fairway protocols`: what the enabled protocols emit, understand and allow."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand

from fairway.core.assembly import assemble
from fairway.core.plugin.loading import LoadedProtocol
from fairway.core.settings import Limits, Secret
from fairway.management.subcommands.contract import Subcommand
from fairway.management.subcommands.table import print_table

__all__ = ["Protocols"]


class Protocols(Subcommand):
    """Shows each enabled protocol with its events, reply keys, settings and limits."""

    name = "protocols"
    help = "Enabled protocols: events, reply keys, limits."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add nothing."""

    def run(self, console: BaseCommand, options: dict[str, Any]) -> None:
        """Print the protocols in order of their names."""
        assembly = assemble()
        for _, protocol in sorted(assembly.plugins.protocols.items()):
            _show(console, protocol, assembly.settings.limits)


def _show(console: BaseCommand, protocol: LoadedProtocol, limits: Limits) -> None:
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
    overrides = section.pop("limits")
    console.stdout.write(f"  settings: {_pairs(section)}")
    console.stdout.write(
        f"  limits: {_pairs(msgspec.structs.asdict(limits) | overrides)}\n"
    )


def _keys(keys: Any) -> str:
    return ", ".join(
        f"{key}: {getattr(kind, '__name__', kind)}" for key, kind in keys.items()
    )


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{key}={'***' if isinstance(value, Secret) else value!r}"
        for key, value in values.items()
    )
