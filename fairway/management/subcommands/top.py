"""`fairway top`: what a running site does at this moment."""

from __future__ import annotations

import contextlib
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError

from fairway.core.assembly import Assembly, assemble
from fairway.interfaces.endpoints import parse_endpoint
from fairway.management.mistakes import refuse_memory_layer
from fairway.management.subcommands.contract import Subcommand
from fairway.management.top.samples import Moment, look
from fairway.management.top.view import lines

__all__ = ["Top"]

_SHORTEST = 0.1
"""Seconds between two looks."""


class Top(Subcommand):
    """Shows queues, peers, consumers, drops and latencies, again and again.

    Figures come from the channel layer, and from the metrics of the processes that
    `--url` names. On a terminal q ends it; elsewhere each frame is printed.
    """

    name = "top"
    help = "Watch what the running site does."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--url",
            action="append",
            metavar="URL",
            help="Metrics of a process, such as http://127.0.0.1:9101/metrics; "
            "repeatable. Without it those of an interface server on this machine, "
            "where METRICS_TOKEN is set.",
        )
        parser.add_argument(
            "--interval",
            type=float,
            default=1.0,
            metavar="SECONDS",
            help="Time between two frames; rates are those of this time.",
        )
        parser.add_argument(
            "--count", type=int, metavar="N", help="Print N frames, then end."
        )
        parser.add_argument(
            "--once",
            action="store_const",
            const=1,
            dest="count",
            help="Print one frame, after one interval.",
        )

    def run(self, console: BaseCommand, options: dict[str, Any]) -> None:
        """Show frames until there were enough of them, or somebody leaves."""
        assembly = assemble()
        refuse_memory_layer(assembly, "This command", "the processes it watches")
        urls = options["url"] or _own_urls(assembly)
        for url in urls:
            if urlsplit(url).scheme not in ("http", "https"):
                raise CommandError(f"--url {url}: only http:// and https:// are read")
        layer, channels = assembly.layer, assembly.router.channels()
        token = assembly.settings.metrics_token
        interval = max(options["interval"], _SHORTEST)

        def now() -> Moment:
            return look(layer, channels, urls, token)

        try:
            with contextlib.suppress(KeyboardInterrupt):
                if options["count"] is None and _is_terminal(console):
                    _watch(now, interval)
                else:
                    for frame in islice(_frames(now, interval), options["count"]):
                        console.stdout.write("\n".join(frame) + "\n")
        finally:
            layer.close()


def _frames(now: Callable[[], Moment], interval: float) -> Iterator[list[str]]:
    before = now()
    for _ in count():
        time.sleep(interval)
        after = now()
        yield lines(before, after)
        before = after


def _watch(now: Callable[[], Moment], interval: float) -> None:
    from fairway.management.top.screen import Screen  # has no place on every system

    with Screen(sys.stdout) as screen:
        before = now()
        screen.show(lines(before, before))
        while not screen.left(interval):
            after = now()
            screen.show(lines(before, after))
            before = after


def _is_terminal(console: BaseCommand) -> bool:
    return console.stdout.isatty() and sys.stdin.isatty()


def _own_urls(assembly: Assembly) -> list[str]:
    """Return where an interface server of these settings shows its metrics here."""
    http = assembly.plugins.protocols.get("http")
    if http is None or assembly.settings.metrics_token is None:
        return []
    found = []
    for endpoint in getattr(http.config, "bind", ()):
        kind, arguments = parse_endpoint(endpoint)
        port = arguments.get("port", arguments.get("0", ""))
        host = arguments.get("interface", "")
        if kind == "tcp" and host in ("", "0.0.0.0", "127.0.0.1") and port.isdecimal():
            found.append(f"http://127.0.0.1:{port}/-/metrics")
    return found
