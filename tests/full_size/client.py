"""Clients that send and take big bodies piece by piece."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import struct
import time
from collections.abc import Iterable, Iterator

from tests.full_size.pattern import MEBIBYTE, blocks

__all__ = ["download", "form_of", "reset", "upload"]

PATIENCE = 120.0
_PIECE = 64 * 1024


def upload(
    port: int,
    path: str,
    parts: Iterable[bytes],
    *,
    size: int,
    kind: str = "application/octet-stream",
) -> str:
    """Post a body and return the hash that the view found."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {"Content-Length": str(size), "Content-Type": kind}
    connection.request("POST", path, body=parts, headers=headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    assert response.status == 200, answer
    return str(json.loads(answer)["digest"])


def form_of(mebibytes: int) -> tuple[Iterator[bytes], int, str]:
    """Return a form with one file: its parts, its size, its content type."""
    mark = "limit-of-parts"
    head = (
        f'--{mark}\r\nContent-Disposition: form-data; name="file"; '
        'filename="big.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'
    ).encode()
    tail = f"\r\n--{mark}--\r\n".encode()

    def parts() -> Iterator[bytes]:
        yield head
        yield from blocks(mebibytes)
        yield tail

    size = len(head) + mebibytes * MEBIBYTE + len(tail)
    return parts(), size, f"multipart/form-data; boundary={mark}"


def download(port: int, path: str, *, slow: float = 0.0) -> str:
    """Take a body and return its hash.

    Args:
        slow: seconds in which only 64 KiB are taken every 20 ms.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path)
    response = connection.getresponse()
    assert response.status == 200
    found = hashlib.sha256()
    until = time.monotonic() + slow
    while part := response.read(_PIECE):
        found.update(part)
        if time.monotonic() < until:
            time.sleep(0.02)
    connection.close()
    return found.hexdigest()


def reset(connection: socket.socket) -> None:
    """Leave without a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
