"""What this machine gives: descriptors, disk, addresses."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from typing import Any

from fairway.core.assembly import Assembly
from fairway.interfaces.endpoints import parse_endpoint
from fairway.management.doctor.findings import Finding, found

__all__ = ["look_at_machine"]

_OTHERS = 100
"""Descriptors that a process needs beside those of its peers."""
_PATIENCE = 0.5
"""Seconds for an answer of whoever listens on an address of ours."""


def look_at_machine(assembly: Assembly) -> Iterator[Finding]:
    """Look at the machine that this runs on, which should be an interface server's."""
    yield from _look_at_descriptors(assembly)
    http = assembly.plugins.protocols.get("http")
    if http is not None:
        yield from _look_at_spool(http.config)
        for endpoint in getattr(http.config, "bind", ()):
            yield from _look_at_endpoint(endpoint)


def _look_at_descriptors(assembly: Assembly) -> Iterator[Finding]:
    try:
        import resource
    except ImportError:  # not on this system
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    peers = assembly.settings.limits.peers
    if hard != resource.RLIM_INFINITY and hard < peers + _OTHERS:
        text = f"A process may open {hard:,} descriptors, LIMITS allow {peers:,} peers."
        yield found("fairway.D301", text)


def _look_at_spool(config: Any) -> Iterator[Finding]:
    folder = getattr(config, "spool_dir", None) or tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        yield found("fairway.D302", f"Nothing can be written to {folder}: {reason}.")
        return
    if free < config.spool_total:
        text = f"{folder} has {free:,} of {config.spool_total:,} bytes (spool_total)."
        yield found("fairway.D303", text)


def _look_at_endpoint(endpoint: str) -> Iterator[Finding]:
    """See whether an address is free, or has an interface server already."""
    kind, arguments = parse_endpoint(endpoint)
    port = arguments.get("port", arguments.get("0", ""))
    if kind not in ("tcp", "tcp6", "ssl") or not port.isdecimal() or port == "0":
        return
    family = socket.AF_INET6 if kind == "tcp6" else socket.AF_INET
    host = arguments.get("interface", "")
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
            return
        except OSError as error:
            reason = os.strerror(error.errno or 0)
    if kind == "ssl" or not _is_fairway(host, int(port)):
        yield found("fairway.D304", f"{endpoint} of http: {reason}.")


def _is_fairway(host: str, port: int) -> bool:
    """Return whether an interface server answers there."""
    loopback = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
    request = b"GET /-/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = b""
    try:
        where = (loopback.get(host, host), port)
        with socket.create_connection(where, _PATIENCE) as connection:
            connection.settimeout(_PATIENCE)
            connection.sendall(request)
            while len(answer) < 65_536 and (piece := connection.recv(4_096)):
                answer += piece
    except OSError:
        return False
    return answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"live\n")
