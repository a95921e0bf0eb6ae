"""A real broker of MQTT, and things that talk to it with a client of their own."""

from __future__ import annotations

import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.processes import free_port, is_listening, wait_until

__all__ = ["Broker", "Device", "running_broker"]

_TIMEOUT = 20.0


class Broker:
    """mosquitto on a port of its own, which a test may end and start again."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if program is None:
            raise RuntimeError("mosquitto is not installed: apt-get install mosquitto")
        self.port = free_port()
        settings = folder / "mosquitto.conf"
        settings.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self._command = [program, "-c", str(settings)]
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with nothing in it."""
        self._child = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: is_listening(self.port), what="mosquitto")

    def end(self) -> None:
        """End it; its clients lose their connections."""
        if self._child is not None:
            self._child.terminate()
            self._child.wait(_TIMEOUT)
            self._child = None


@contextmanager
def running_broker() -> Iterator[Broker]:
    """Run a broker while the block lasts."""
    with tempfile.TemporaryDirectory(prefix="fairway-mqtt-") as folder:
        broker = Broker(Path(folder))
        broker.start()
        try:
            yield broker
        finally:
            broker.end()


class Device:
    """Publishes, and hears what is published to some topics."""

    def __init__(self, broker: Broker, *topics: str) -> None:
        self.heard = heard = queue.Queue[MQTTMessage]()
        self._client = Client(CallbackAPIVersion.VERSION2)
        # Without a way back to this object: Paho closes its inner sockets only when the
        # client is deleted, which must not be left to the collector of garbage.
        self._client.on_message = lambda client, data, message: heard.put(message)
        subscribed: queue.Queue[int] = queue.Queue()
        self._client.on_subscribe = lambda *given: subscribed.put(0)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        for topic in topics:
            self._client.subscribe(topic, 1)
            subscribed.get(timeout=_TIMEOUT)

    def publish(
        self, topic: str, payload: str | bytes, *, retain: bool = False
    ) -> None:
        """Publish, and wait until the broker has it."""
        sent = self._client.publish(topic, payload, 1, retain)
        sent.wait_for_publish(_TIMEOUT)

    def hear(self) -> str:
        """Return the next text."""
        payload: bytes | bytearray = self.heard.get(timeout=_TIMEOUT).payload
        return payload.decode()

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        gone = threading.Event()
        self._client.on_disconnect = lambda *given: gone.set()
        self._client.disconnect()
        gone.wait(_TIMEOUT)  # a loop that is stopped before leaves the socket open
        self._client.loop_stop()
