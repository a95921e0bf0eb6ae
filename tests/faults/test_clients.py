"""Clients that are slow, idle, rude or too many, and disks that are full."""

from __future__ import annotations

import http.client
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.faults.scene import Load, Record, Scene, ask, resident
from tests.support.processes import wait_until

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

MEBIBYTE = 1024 * 1024
IDLE = 2_000
MIB_MORE = 40.0


def _raw(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def _reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_a_socket_that_never_reads_is_cut_and_others_do_not_notice(
    scene: Scene, record: Record
) -> None:
    scene.worker()
    process, port = scene.interface()
    before = resident(process)
    connection = _raw(port)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    head = (
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    )
    connection.sendall(head.encode())
    assert connection.recv(12) == b"HTTP/1.1 101"
    with Load(port) as load:
        connection.sendall(_text("flood 300"))
        wait_until(
            lambda: "slow" in process.output() or "overflow" in process.output(),
            30,
            "the cut",
        )
        load.wait_for(50)
    connection.close()
    record("grown MiB", round(resident(process) - before, 1))

    assert load.statuses() == {200}
    assert resident(process) - before < MIB_MORE
    assert scene.all_run()


def _text(text: str) -> bytes:
    """Return a frame as a client sends it, masked with zeros."""
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text.encode()


def test_a_client_that_never_reads_its_download_is_cut(
    scene: Scene, record: Record
) -> None:
    scene.settings["http"] = {"write_timeout": 2.0}
    scene.worker()
    process, port = scene.interface()
    before = resident(process)
    connection = _raw(port)
    connection.sendall(b"GET /big/100 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    began = time.monotonic()
    with Load(port) as load:
        wait_until(lambda: _is_cut(connection), 30, "the cut")
        took = time.monotonic() - began
    connection.close()
    record("cut after", round(took, 2))
    record("grown MiB", round(resident(process) - before, 1))

    assert load.statuses() == {200}
    assert resident(process) - before < MIB_MORE


def _is_cut(connection: socket.socket) -> bool:
    """Return whether the other end has reset the connection; reads nothing."""
    try:
        connection.send(b"\r\n")
    except OSError:
        return True
    time.sleep(0.2)
    return False


def test_a_client_that_writes_a_byte_a_second_is_told_408(scene: Scene) -> None:
    scene.settings["http"] = {"header_timeout": 3.0}
    port = scene.both()
    connection = _raw(port)
    answer = b""
    with Load(port) as load:
        for byte in b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n":
            connection.settimeout(1.0)
            with suppress(OSError):
                connection.send(bytes([byte]))
            with suppress(TimeoutError):
                answer = connection.recv(4096)
                break
    connection.close()

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert load.statuses() == {200}


@pytest.mark.usefixtures("many_descriptors")
def test_2000_idle_connections_are_let_go_and_give_their_memory_back(
    scene: Scene, record: Record
) -> None:
    scene.settings["http"] = {"header_timeout": 3.0, "keep_alive": 3.0}
    scene.worker()
    process, port = scene.interface()
    before = resident(process)
    with ExitStack() as stack, Load(port) as load:
        idle = [stack.enter_context(_raw(port)) for _ in range(IDLE)]
        most = resident(process)
        load.wait_for(50)
        for each in idle:
            with suppress(OSError):
                each.recv(4096)
    wait_until(lambda: _open_descriptors(process.pid) < 100, 30, "closed connections")
    after = resident(process)
    figures = (round(most - before, 1), round(after - before, 1))
    record("MiB with 2000 and after", figures)

    assert load.statuses() == {200}
    assert after - before < MIB_MORE


def _open_descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_resets_in_the_middle_of_everything_disturb_nobody(scene: Scene) -> None:
    port = scene.both()
    pieces = [
        b"GET /mark/1",
        b"GET /nap/900001 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n\r\n"
        + b"x" * 500_000,
        b"GET /big/50 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + _text("flood 20"),
    ]
    with Load(port) as load:
        for turn in range(10):
            for piece in pieces:
                connection = _raw(port)
                connection.sendall(piece)
                time.sleep(0.01 * turn)
                _reset(connection)
        load.wait_for(50)
    with connect(f"ws://127.0.0.1:{port}/", proxy=None) as alive:
        alive.recv()
        alive.send("still here")
        assert alive.recv(30) == "still here"

    assert load.statuses() == {200}
    assert scene.all_run()
    assert not any("Traceback" in process.output() for process in scene.processes)


def _upload(port: int, size: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/upload", body=b"x" * size)
        return connection.getresponse().status
    finally:
        connection.close()


def test_an_upload_beyond_what_spools_may_have_is_told_503(scene: Scene) -> None:
    scene.settings["http"] = {"spool_total": MEBIBYTE}
    port = scene.both()

    assert _refused_upload(port, 8 * MEBIBYTE)

    assert _upload(port, MEBIBYTE // 2) == 200
    assert scene.all_run()


def _refused_upload(port: int, size: int) -> bool:
    """Return whether an upload got 503, in a body that is still being sent."""
    with _raw(port) as connection:
        head = "POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        connection.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode())
        with suppress(OSError):
            for _ in range(size // 65_536):
                connection.sendall(b"x" * 65_536)
        with suppress(OSError):
            return connection.recv(4096).startswith(b"HTTP/1.1 503 ")
    return False


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 2 MiB; needs the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False, timeout=20)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=20)


def test_an_upload_to_a_full_disk_is_told_503_and_its_space_comes_back(
    scene: Scene, small_disk: Path
) -> None:
    scene.settings["http"] = {"spool_dir": str(small_disk)}
    scene.folder = small_disk.parent
    port = scene.both()

    assert _refused_upload(port, 8 * MEBIBYTE)

    assert _upload(port, MEBIBYTE) == 200
    assert ask(port, "/mark/1")[0] == 200
