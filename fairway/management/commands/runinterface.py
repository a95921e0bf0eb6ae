"""`manage.py runinterface`: terminates the outside world until told to stop."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from fairway.core.assembly import assemble
from fairway.management.interface import serve_interface
from fairway.management.logs import log_to_console
from fairway.management.mistakes import refuse_memory_layer, told_in_one_message


class Command(BaseCommand):
    """Runs one interface server; start as many as the site needs."""

    help = "Runs an interface server: all enabled protocols over the channel layer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--port", type=int, help="Replace http's bind by 127.0.0.1:PORT."
        )
        parser.add_argument(
            "--bind",
            action="append",
            metavar="ENDPOINT",
            help="Replace http's bind, such as 'tcp:8000' or 'unix:/run/site.sock'; "
            "repeatable.",
        )

    @told_in_one_message()
    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM or SIGINT; what has begun is run to its end."""
        # A line for each request would be written by the loop that serves everybody.
        log_to_console(options["verbosity"], access=2)
        bind = options["bind"]
        if options["port"] is not None:
            bind = [f"tcp:{options['port']}:interface=127.0.0.1"]
        assembly = assemble(sections={"http": {"bind": bind}} if bind else {})
        refuse_memory_layer(assembly, "An interface server", "workers")
        assembly.install()
        layer = assembly.layer
        try:
            serve_interface(assembly, assembly.settings)
        finally:
            layer.close()
