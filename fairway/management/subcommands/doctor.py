"""`fairway doctor`: what is wrong with a site, and what to do about it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

import msgspec
from django.core.management.base import BaseCommand

from fairway.management.doctor.examination import examine
from fairway.management.doctor.findings import LEVELS, Finding
from fairway.management.subcommands.contract import Subcommand

__all__ = ["Doctor"]


class Doctor(Subcommand):
    """Looks at settings, machine, channel layer and processes; changes nothing.

    Ends with exit code 1 when something of `--fail-level` or graver was found. Run it
    where an interface server runs, as the same user and with the same environment.
    """

    name = "doctor"
    help = "Find what is wrong with the site, and what to do about it."
    checks_site = False  # it tells of them itself

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--json",
            action="store_true",
            help="Print a list of objects with code, level, text and fix.",
        )
        parser.add_argument(
            "--fail-level",
            choices=LEVELS,
            default="error",
            help="The least level of a finding that makes the exit code 1.",
        )

    def run(self, console: BaseCommand, options: dict[str, Any]) -> None:
        """Print the findings in the order in which they are found.

        Raises:
            SystemExit: one is as grave as `--fail-level`.
        """
        findings: list[Finding] = []
        for finding in examine():
            findings.append(finding)
            if not options["json"]:
                _print(console, finding)
        if options["json"]:
            text = json.dumps([msgspec.structs.asdict(one) for one in findings])
            console.stdout.write(text)
        else:
            console.stdout.write(_summary(findings))
        grave = LEVELS[LEVELS.index(options["fail_level"]) :]
        if any(finding.level in grave for finding in findings):
            sys.exit(1)


def _print(console: BaseCommand, finding: Finding) -> None:
    styles = {
        "error": console.style.ERROR,
        "warning": console.style.WARNING,
        "info": console.style.NOTICE,
    }
    level = styles[finding.level](f"{finding.level:7}")
    text = " ".join(finding.text.split())
    console.stdout.write(f"{level} {finding.code}  {text}")
    if finding.fix:
        console.stdout.write(f"        {' '.join(finding.fix.split())}")


def _summary(findings: Sequence[Finding]) -> str:
    counts = [
        f"{count} {level}{'s' if count > 1 and level != 'info' else ''}"
        for level in reversed(LEVELS)
        if (count := sum(finding.level == level for finding in findings))
    ]
    return f"Found {', '.join(counts)}." if counts else "Nothing is wrong."
