"""`manage.py runworker`: receives messages and runs consumers until told to stop."""

from __future__ import annotations

import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from fairway.core.assembly import assemble
from fairway.core.metrics import Metrics
from fairway.core.worker import Worker
from fairway.core.worker.figures import part_of
from fairway.management.logs import log_to_console
from fairway.management.metrics import MetricsServer
from fairway.management.mistakes import refuse_memory_layer, told_in_one_message


class Command(BaseCommand):
    """Runs one worker process; start as many as the site needs."""

    help = "Runs a worker: receives messages from the channel layer, runs consumers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--threads", type=int, help="Threads that run consumers (setting THREADS)."
        )
        parser.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="PATTERN",
            help="Listen to channels that match, such as 'websocket.*'; repeatable.",
        )
        parser.add_argument(
            "--exclude",
            action="append",
            default=[],
            metavar="PATTERN",
            help="Do not listen to channels that match; repeatable.",
        )
        parser.add_argument(
            "--metrics-port",
            type=int,
            metavar="PORT",
            help="Serve metrics of this process at 127.0.0.1:PORT, without a token.",
        )

    @told_in_one_message()
    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM or SIGINT; what was taken is run to its end."""
        log_to_console(options["verbosity"])
        assembly = assemble()
        refuse_memory_layer(assembly, "A worker", "an interface server")
        assembly.install()
        worker = Worker(
            assembly.layer,
            assembly.router,
            assembly.plugins,
            threads=options["threads"] or assembly.settings.threads,
            only=options["only"],
            exclude=options["exclude"],
        )
        grace = assembly.settings.grace

        def stop(number: int, frame: object) -> None:
            worker.stop(grace)

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        if options["metrics_port"] is not None:
            port = options["metrics_port"]
            server = MetricsServer("127.0.0.1", port, option="--metrics-port")
            server.start(Metrics(assembly.layer, [part_of(worker)]))
        try:
            worker.run()
        finally:
            assembly.layer.close()
