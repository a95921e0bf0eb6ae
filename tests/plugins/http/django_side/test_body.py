"""A body that waits in the interface server is pulled in chunks."""

from __future__ import annotations

import json
import threading
import tracemalloc
from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig
from django.http import UnreadablePostError
from django.test import override_settings

from fairway.core.content import Content
from fairway.plugins.http.request import FairwayRequest
from tests.plugins.http.django_side.host import CHUNK, Host
from tests.plugins.http.django_side.test_request import BOUNDARY, MULTIPART

CHANNEL = "http.body?1"


class Spool:
    """The interface server's file with a body, given out as it is asked for."""

    def __init__(self, host: Host, chunks: list[bytes]) -> None:
        self._host = host
        self._chunks = chunks
        self.asked: list[int] = []
        self.given = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until all was given."""
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        while self.given < len(self._chunks):
            room = self._host.reply()["pull_body"]
            self.asked.append(room)
            for _ in range(min(room, len(self._chunks) - self.given)):
                self._give()

    def _give(self) -> None:
        chunk = self._chunks[self.given]
        self.given += 1
        more = self.given < len(self._chunks)
        self._host.tell(CHANNEL, {"content": chunk, "more_content": more})


def spooled(host: Host, size: int, **keys: Any) -> FairwayRequest:
    message = host.message("POST", body_channel=CHANNEL, body_size=size, **keys)
    return FairwayRequest(message)


def pieces(data: bytes) -> list[bytes]:
    return [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]


def test_a_spooled_body_is_read_whole(host: Host) -> None:
    data = bytes(range(256)) * 4000
    spool = Spool(host, pieces(data))

    assert spooled(host, len(data)).body == data
    spool.join()


def test_never_more_than_a_window_of_chunks_is_on_its_way(host: Host) -> None:
    data = b"x" * (20 * CHUNK)
    spool = Spool(host, pieces(data))
    request = spooled(host, len(data))
    furthest = 0
    for number in range(20):
        request.read(CHUNK)
        furthest = max(furthest, spool.given - number)

    spool.join()
    assert furthest <= 9
    assert spool.asked == [8, 4, 4, 4]


def test_nothing_is_pulled_of_a_body_that_nobody_reads(host: Host) -> None:
    request = spooled(host, 10 * CHUNK)
    request.close()

    assert host.replies() == []


def test_a_spooled_body_is_read_by_lines(host: Host) -> None:
    data = b"".join(b"line %d\n" % n for n in range(100_000))
    spool = Spool(host, pieces(data))

    assert list(spooled(host, len(data))) == data.splitlines(keepends=True)
    spool.join()


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=CHUNK)
def test_a_spooled_body_above_the_memory_limit_is_not_pulled(host: Host) -> None:
    with pytest.raises(RequestDataTooBig):
        _ = spooled(host, 2 * CHUNK).body

    assert host.replies() == []


@pytest.mark.parametrize(
    "content",
    [
        {"closed": True},
        {"content": b"x" * CHUNK, "more_content": False},
        {"content": b"", "more_content": True},
    ],
)
def test_a_body_that_breaks_off_is_unreadable(host: Host, content: Content) -> None:
    host.tell(CHANNEL, content)

    with pytest.raises(UnreadablePostError):
        spooled(host, 2 * CHUNK).read()


def test_a_body_that_breaks_off_later_is_unreadable(host: Host) -> None:
    host.tell(CHANNEL, {"content": b"x" * CHUNK, "more_content": True})
    host.tell(CHANNEL, {"closed": True})
    request = spooled(host, 3 * CHUNK)
    request.read(CHUNK)

    with pytest.raises(UnreadablePostError):
        request.read(1)


def test_a_large_upload_goes_to_the_upload_handlers_with_flat_memory(
    host: Host,
) -> None:
    size = 40 * 1024 * 1024
    head = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
        f'name="f"; filename="big.bin"\r\n\r\n'
    ).encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    block = b"x" * CHUNK
    spool = Spool(host, [head, *([block] * (size // CHUNK)), tail])
    keys = {
        "body_channel": CHANNEL,
        "body_size": len(head) + size + len(tail),
        "headers": [("host", "testserver"), ("content-type", MULTIPART)],
    }
    tracemalloc.start()
    with host.serving("POST", "/upload/", **keys):
        spool.join()
        # The worker asks ahead: the last question comes after the last chunk.
        reply = next(r for r in iter(host.reply, None) if "status" in r)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    told = json.loads(reply["content"])
    assert told["files"] == {"f": [["big.bin", size, "TemporaryUploadedFile"]]}
    assert peak < 10 * 1024 * 1024
