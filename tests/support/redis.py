"""Real Redis servers for tests: children of the test process, on free ports."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.processes import free_port
from tests.support.waiting import wait_until

__all__ = ["RedisServer", "free_port"]

_START_TIMEOUT = 20.0


class RedisServer:
    """One Redis server that a test may kill, pause and start again.

    Args:
        password: what clients must say, None for an open server.
        options: more of the server's command line.

    Raises:
        RuntimeError: redis-server is not installed, or does not start.
    """

    def __init__(
        self, *, password: str | None = None, options: Sequence[str] = ()
    ) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError(
                "redis-server is not installed: apt-get install redis-server"
            )
        self.port = free_port()
        self.password = password
        self._directory = tempfile.TemporaryDirectory(prefix="fairway-redis-")
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1"]
        self._command += ["--dir", self._directory.name, "--save", ""]
        self._command += ["--appendonly", "no", *options]
        if password is not None:
            self._command += ["--requirepass", password]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What a channel layer is given."""
        secret = "" if self.password is None else f":{quote(self.password, safe='')}@"
        return f"redis://{secret}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, on the same port and with the same directory as before."""
        if self._process is not None:
            raise RuntimeError("it runs already")
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(self._answers, _START_TIMEOUT)
        except AssertionError:
            self.kill()
            raise RuntimeError(
                f"redis-server does not answer on port {self.port}"
            ) from None

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it from answering, with its connections open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it and remove its files."""
        self.kill()
        self._directory.cleanup()

    def restart(self) -> None:
        """Crash and come back, with what the last snapshot holds."""
        self.kill()
        self.start()

    @contextlib.contextmanager
    def configured(self, name: str, bad: str, good: str) -> Iterator[None]:
        """Have a setting of the server while the block lasts."""
        self.execute("CONFIG", "SET", name, bad)
        yield
        self.execute("CONFIG", "SET", name, good)

    def without_memory(self) -> contextlib.AbstractContextManager[None]:
        """Refuse whatever needs memory while the block lasts."""
        return self.configured("maxmemory", "1", "0")

    def without_replicas(self) -> contextlib.AbstractContextManager[None]:
        """Refuse all writes while the block lasts."""
        return self.configured("min-replicas-to-write", "1", "0")

    @contextlib.contextmanager
    def demoted(self) -> Iterator[None]:
        """Be the replica of nobody while the block lasts, hence read-only."""
        self.execute("REPLICAOF", "127.0.0.1", "1")
        yield
        self.execute("REPLICAOF", "NO", "ONE")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Want a password that nobody knows while the block lasts."""
        self.execute("CONFIG", "SET", "requirepass", "another")
        self.password = "another"
        self.execute("CLIENT", "KILL", "TYPE", "normal")
        yield
        self.execute("CONFIG", "SET", "requirepass", "")
        self.password = None

    def client(self) -> redis.Redis:
        """Return a client that never repeats a command; close it."""
        return redis.Redis.from_url(
            self.url, retry=Retry(NoBackoff(), 0), socket_timeout=5, protocol=2
        )

    def execute(self, *command: Any) -> Any:
        """Run one command."""
        with contextlib.closing(self.client()) as client:
            return client.execute_command(*command)  # type: ignore[no-untyped-call]

    def flush(self) -> None:
        """Forget everything it holds."""
        self.execute("FLUSHALL")

    def __enter__(self) -> "RedisServer":
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError("it does not run")
        self._process.send_signal(number)

    def _answers(self) -> bool:
        process = self._process
        if process is not None and process.poll() is not None:
            raise AssertionError
        try:
            return bool(self.execute("PING"))
        except (redis.ConnectionError, redis.TimeoutError):
            return False
