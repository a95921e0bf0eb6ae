"""Fairway in one process, without the log lines of the development server."""

import sys

import django

from fairway.core.assembly import assemble
from fairway.management.embedded import serve


def main(port: int) -> None:
    """Serve on a port of 127.0.0.1 until terminated."""
    django.setup()
    bind = [f"tcp:{port}:interface=127.0.0.1"]
    assembly = assemble(sections={"http": {"bind": bind}})
    assembly.install()
    serve(assembly, threads=assembly.settings.threads)


if __name__ == "__main__":
    main(int(sys.argv[1]))
