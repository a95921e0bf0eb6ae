"""The conditions of a run: machine, versions, date."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["conditions"]

_PACKAGES = (
    "fairway",
    "Django",
    "Twisted",
    "autobahn",
    "uvloop",
    "msgspec",
    "hiredis",
    "gunicorn",
    "uvicorn",
    "daphne",
    "channels",
    "channels_redis",
)


def conditions() -> dict[str, str]:
    """Return what a figure depends on besides the code."""
    load = " ".join(f"{each:.2f}" for each in os.getloadavg())
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} cores, {_processor()}, {_memory()} GiB, "
        f"{platform.system()} {platform.release()}",
        "load average before": load,
        "versions": ", ".join(
            [f"Python {platform.python_version()}", _redis(), *_packages(), *_pushpin()]
        ),
        "commit": _commit(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> int:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return round(total / 1024**3)


def _packages() -> list[str]:
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def _redis() -> str:
    words = _output("redis-server", "--version").split()
    return f"Redis {next((w[2:] for w in words if w.startswith('v=')), 'none')}"


def _pushpin() -> list[str]:
    return _output("pushpin", "--version").splitlines()[:1]


def _commit() -> str:
    commit = _output("git", "rev-parse", "--short", "HEAD").strip()
    changed = _output("git", "status", "--porcelain", "--", "fairway", "examples")
    return f"{commit or 'unknown'}{', with changes' if changed else ''}"


def _output(*command: str) -> str:
    try:
        ran = subprocess.run(
            command,
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return ran.stdout
