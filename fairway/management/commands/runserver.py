"""`manage.py runserver`: all enabled protocols and workers in one process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.runserver import Command as DjangoCommand
from django.utils import autoreload
from django.utils.module_loading import import_string

from fairway.core.assembly import assemble, is_configured
from fairway.management.embedded import serve
from fairway.management.events import EventLines
from fairway.management.logs import log_to_console
from fairway.management.mistakes import told_in_one_message


def _command_it_replaces() -> type[DjangoCommand]:
    """Return the `runserver` that would run without fairway, to keep its options."""
    if not apps.is_installed("django.contrib.staticfiles"):
        return DjangoCommand
    path = "django.contrib.staticfiles.management.commands.runserver.Command"
    return cast(type[DjangoCommand], import_string(path))


if TYPE_CHECKING:
    _Base = DjangoCommand
else:
    _Base = _command_it_replaces()


class Command(_Base):
    """Django's own development server, for every protocol.

    Without the setting `FAIRWAY` it is the command of Django (or of staticfiles).
    """

    help = "Starts a development server for all enabled protocols."

    # Django's command sets them from its arguments.
    addr: str
    port: str
    _raw_ipv6: bool

    def add_arguments(self, parser: CommandParser) -> None:
        """Add fairway's options to those of Django."""
        super().add_arguments(parser)
        parser.add_argument(
            "--threads", type=int, help="Threads that run consumers (setting THREADS)."
        )

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Check the project, then serve until interrupted or reloaded."""
        if not is_configured():
            super().inner_run(*args, **options)
            return
        autoreload.raise_last_exception()
        try:
            with told_in_one_message():
                self._serve(options)
        except CommandError as error:
            if not options["use_reloader"]:
                raise
            # In a thread of the reloader, which waits for the mistake to be mended.
            self.stderr.write(f"{error}")
            return
        if message := options.get("shutdown_message", ""):
            self.stdout.write(message)
        sys.exit(0)

    def _serve(self, options: dict[str, Any]) -> None:
        log_to_console(options["verbosity"])
        if not options["skip_checks"]:
            self.stdout.write("Performing system checks...\n\n")
            self.check(display_num_errors=True)
        self.check_migrations()
        endpoint = f"tcp:{self.port}:interface={self.addr.replace(':', chr(92) + ':')}"
        try:
            assembly = assemble(
                builtin={"runserver": EventLines()},
                sections={"http": {"bind": [endpoint]}},
            )
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        assembly.install()
        threads = options["threads"] or assembly.settings.threads
        if not options["use_threading"]:
            threads = 1
        serve(
            assembly,
            threads=threads,
            static=_wants_static(options),
            started=lambda: self._announce(options),
        )

    def _announce(self, options: dict[str, Any]) -> None:
        address = f"[{self.addr}]" if self._raw_ipv6 else self.addr
        stop = "CTRL-BREAK" if sys.platform == "win32" else "CONTROL-C"
        self.stdout.write(
            f"Django version {self.get_version()}, using settings "
            f"{settings.SETTINGS_MODULE!r}\n"
            f"Starting fairway at {self.protocol}://{address}:{self.port}/\n"
            f"Quit with {stop}."
        )
        self.stdout.flush()


def _wants_static(options: dict[str, Any]) -> bool:
    """Whether static files are served, as by the command of staticfiles."""
    return bool(
        options.get("use_static_handler")
        and (settings.DEBUG or options.get("insecure_serving"))
    )
