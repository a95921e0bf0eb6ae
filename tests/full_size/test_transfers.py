"""Bodies of hundreds of MiB arrive whole while the memory of all processes is flat."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.scene import Record
from tests.full_size.client import PATIENCE, download, form_of, reset, upload
from tests.full_size.house import Cost, House
from tests.full_size.pattern import MEBIBYTE, blocks, digest
from tests.support.processes import wait_until

pytestmark = pytest.mark.timeout(300)

MIB_MORE = 40.0
UPLOAD = 200
DOWNLOAD = 500
SLOW = 4.0
"""Seconds of a slow reader."""


def send_raw(house: House, mebibytes: int) -> str:
    parts = blocks(mebibytes)
    return upload(house.port, "/raw/", parts, size=mebibytes * MEBIBYTE)


def send_form(house: House, mebibytes: int) -> str:
    parts, size, kind = form_of(mebibytes)
    return upload(house.port, "/form/", parts, size=size, kind=kind)


def take_stream(house: House, mebibytes: int, slow: float = 0.0) -> str:
    return download(house.port, f"/stream/{mebibytes}/", slow=slow)


def take_file(house: House, mebibytes: int, slow: float = 0.0) -> str:
    path = house.folder / f"{mebibytes}.big"
    if not path.exists():
        with path.open("wb") as file:
            file.writelines(blocks(mebibytes))
    return download(house.port, f"/file/{path.name}/", slow=slow)


def measured(
    house: House, record: Record, mebibytes: int, transfer: Callable[[], list[str]]
) -> None:
    """Transfer; check content and memory, note speed and CPU time."""
    expected = digest(blocks(mebibytes))
    with Cost(house.pids()) as cost:
        began = time.monotonic()
        found = transfer()
        took = time.monotonic() - began
    total = mebibytes * MEBIBYTE * len(found)
    record("MB/s", round(total / took / 1e6))
    record("CPU s/GB", round(cost.cpu / total * 1e9, 2))
    record("MiB more", {pid: round(grown, 1) for pid, grown in cost.growth.items()})

    assert set(found) == {expected}
    assert cost.most() <= MIB_MORE
    wait_until(house.is_clean, 10, "disks given back")


@pytest.mark.full
@pytest.mark.parametrize("send", [send_raw, send_form])
def test_a_big_upload_arrives_whole_in_flat_memory(
    house: House, record: Record, send: Callable[[House, int], str]
) -> None:
    house.open()
    send(house, 8)

    measured(house, record, UPLOAD, lambda: [send(house, UPLOAD)])


@pytest.mark.full
@pytest.mark.parametrize("slow", [0.0, SLOW], ids=["fast", "slow"])
@pytest.mark.parametrize("take", [take_stream, take_file])
def test_a_big_download_arrives_whole_in_flat_memory(
    house: House, record: Record, take: Callable[..., str], slow: float
) -> None:
    house.open()
    take(house, 8)

    measured(house, record, DOWNLOAD, lambda: [take(house, DOWNLOAD, slow)])


@pytest.mark.standard
def test_three_transfers_at_once_arrive_whole_in_flat_memory(
    house: House, record: Record
) -> None:
    house.settings["http"] = {"spool_response": 4 * MEBIBYTE}
    house.open()
    take_file(house, 40)
    send_form(house, 40)

    def all_three() -> list[str]:
        with ThreadPoolExecutor(3) as threads:
            running = [
                threads.submit(send_form, house, 40),
                threads.submit(take_stream, house, 40, 1.0),
                threads.submit(take_file, house, 40, 1.0),
            ]
            return [each.result() for each in running]

    measured(house, record, 40, all_three)


@pytest.mark.standard
def test_an_upload_that_is_broken_off_frees_its_disk_at_once(house: House) -> None:
    house.settings["http"] = {"spool_total": 24 * MEBIBYTE}
    house.open()
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", house.port), PATIENCE) as client:
            client.sendall(b"POST /raw/ HTTP/1.1\r\nHost: localhost\r\n")
            client.sendall(b"Content-Length: %d\r\n\r\n" % (24 * MEBIBYTE))
            for part in blocks(20):
                client.sendall(part)
            wait_until(lambda: house.spooled() == 20 * MEBIBYTE, 20, "a file")
            reset(client)
        wait_until(house.is_clean, 5, "disks given back")

    # Not only the files are gone: what they held is not counted any more.
    assert send_raw(house, 20) == digest(blocks(20))


@pytest.mark.standard
@pytest.mark.parametrize(
    ("path", "noted"),
    [("/stream/64/", "generator 64 closed"), ("/file/64.big/", "64.big closed")],
)
def test_a_download_that_is_broken_off_frees_its_disk_and_its_producer(
    house: House, path: str, noted: str
) -> None:
    house.settings["http"] = {"spool_response": 16 * MEBIBYTE}
    house.open()
    with (house.folder / "64.big").open("wb") as file:
        file.writelines(blocks(64))

    with socket.create_connection(("127.0.0.1", house.port), PATIENCE) as client:
        client.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
        assert client.recv(1024)
        wait_until(lambda: house.spooled() >= 16 * MEBIBYTE, 20, "a full file")
        assert noted not in house.noted()
        reset(client)

    wait_until(house.is_clean, 5, "disks given back")
    wait_until(lambda: house.noted()[noted] == 1, 5, "the response closed")
