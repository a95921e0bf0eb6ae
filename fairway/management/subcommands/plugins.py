"""`fairway plugins`: what is installed, enabled, or failed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from fairway.core.assembly import assemble
from fairway.core.plugin.loading import Plugins, installed
from fairway.management.subcommands.contract import Subcommand
from fairway.management.subcommands.table import print_table

__all__ = ["InstalledPlugins"]


class InstalledPlugins(Subcommand):
    """Shows each installed plugin, whether it is enabled, and why one failed."""

    name = "plugins"
    help = "Installed plugins, enabled or not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add nothing."""

    def run(self, console: BaseCommand, options: dict[str, Any]) -> None:
        """Print one row for each plugin."""
        assembly = assemble()
        enabled = set(assembly.settings.plugins)
        offered = installed()
        rows = [
            (
                name,
                _state(name, enabled, assembly.plugins),
                offered.get(name, "(dotted path)"),
                ", ".join(
                    protocol
                    for protocol, loaded in assembly.plugins.protocols.items()
                    if loaded.plugin == name
                ),
            )
            for name in sorted(enabled | set(offered))
        ]
        print_table(console, ("plugin", "state", "module", "protocols"), rows)


def _state(name: str, enabled: set[str], plugins: Plugins) -> str:
    if name in plugins.failed:
        return f"failed: {plugins.failed[name]}"
    return "enabled" if name in enabled else "installed"
