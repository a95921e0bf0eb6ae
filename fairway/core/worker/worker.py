"""Worker: receives messages and runs their consumers until it is told to stop."""

from __future__ import annotations

import logging
import secrets
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Literal

from fairway.core.bus.layer import ChannelLayer, Delivery
from fairway.core.consumer.routing import Router
from fairway.core.drops import Drop
from fairway.core.names import encode_local
from fairway.core.plugin.hookspecs import ProcessInfo
from fairway.core.plugin.loading import Plugins
from fairway.core.worker.canary import Canary
from fairway.core.worker.crew import CrewLoop
from fairway.core.worker.flush import Out
from fairway.core.worker.loop import Loop, LoopParts
from fairway.core.worker.pace import Pace
from fairway.core.worker.pools import choose
from fairway.core.worker.records import RecordRunner
from fairway.core.worker.run import MessageRunner
from fairway.core.worker.turns import Turns
from fairway.core.worker.watch import Watch

__all__ = ["SWITCH_INTERVAL", "Worker"]

SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread that computes lets another one run. A fast consumer
needs the interpreter a few times, and waits this long for each that computes."""

log = logging.getLogger("fairway.worker")


class Worker:
    """One worker of a process.

    Args:
        threads: how many consumers run at once.
        only: patterns of the channels to listen to; empty for all.
        exclude: patterns of the channels not to listen to.
        name: unique while it runs; None makes one up.
        switch_interval: see `SWITCH_INTERVAL`; None leaves the interpreter as it is.
        long_interval: the same in a process that is not its own, where it holds only
            while a consumer runs that is not known to be short.
        loop: how threads share the work.

    Raises:
        ConfigurationError: `only` and `exclude` leave no channel.
    """

    def __init__(
        self,
        layer: ChannelLayer,
        router: Router,
        plugins: Plugins,
        *,
        threads: int = 8,
        only: Sequence[str] = (),
        exclude: Sequence[str] = (),
        name: str | None = None,
        switch_interval: float | None = SWITCH_INTERVAL,
        long_interval: float | None = None,
        loop: type[Loop] = CrewLoop,
    ) -> None:
        self.name = name or f"worker.{secrets.token_hex(6)}"
        self.channels = choose(router.channels(), only, exclude)
        self._layer = layer
        self._plugins = plugins
        self._switch_interval = switch_interval if threads > 1 else None
        self._out = Out(layer)
        pace = Pace()
        turns = Turns(long_interval)
        messages = [
            MessageRunner(layer, router, plugins, pace, turns=turns)
            for _ in range(threads + loop.SPARE)
        ]
        self.timings = [one.timings for one in messages]
        self.waits = [one.waits for one in messages]
        self._runners = [RecordRunner(one, self._out) for one in messages]
        self._canary = Canary()
        self._canary_channel = layer.new_channel(f"{encode_local(self.name)}?")
        self._receiver = layer.receiver([*self.channels, self._canary_channel])
        self._loop = loop(
            LoopParts(
                receiver=self._receiver,
                crew=self._runners,
                pace=pace,
                out=self._out,
                sieve=self._sieve,
                name=self.name,
            )
        )
        self._watch = Watch(
            self._loop,
            self._receiver,
            canary=self._canary,
            channel=self._canary_channel,
            runners=self._runners,
            out=self._out,
            name=self.name,
        )
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    @property
    def ready(self) -> bool:
        """Whether messages are known to arrive."""
        return self._canary.ready

    def run(self) -> None:
        """Take messages in this thread until `stop`, then run what was taken.

        Raises:
            BaseException: whatever was not a consumer's; the process should end.
        """
        before = sys.getswitchinterval()
        if self._switch_interval is not None:
            sys.setswitchinterval(self._switch_interval)
        try:
            self._run("worker")
        finally:
            sys.setswitchinterval(before)

    def start(self, failed: Callable[[BaseException], None] | None = None) -> None:
        """Do what `run` does in a thread of its own, in a process that is not its own.

        Args:
            failed: called in that thread with what `run` would have raised.
        """
        self._thread = threading.Thread(
            target=self._run_embedded, args=(failed,), name=self.name, daemon=True
        )
        self._thread.start()

    def stop(self, grace: float = 0.0) -> None:
        """Take no more messages; from any thread, or a signal handler.

        Args:
            grace: seconds that consumers of what was taken may still run.
        """
        self._watch.stop(grace)

    def join(self, timeout: float | None = None) -> None:
        """Wait for a worker that was started; raises what `run` would have."""
        if self._thread is not None:
            self._thread.join(timeout)
        if self._error is not None:
            raise self._error

    def _run_embedded(self, failed: Callable[[BaseException], None] | None) -> None:
        try:
            self._run("embedded")
        except BaseException as error:
            log.critical("worker %s ended by a fault", self.name, exc_info=error)
            self._error = error
            if failed is not None:
                failed(error)

    def _run(self, role: Literal["worker", "embedded"]) -> None:
        process = ProcessInfo(role, self.name)
        try:
            self._plugins.notify("fairway_worker_started", process=process)
            log.info("worker %s listens to %d channels", self.name, len(self.channels))
            self._watch.start()
            self._loop.receive()
            if self._watch.error is not None:
                raise self._watch.error
            grace = self._watch.grace
            self._plugins.notify(
                "fairway_worker_stopping", process=process, grace=grace
            )
            self._give_up(self._loop.drain(grace), grace)
            log.info("worker %s has stopped", self.name)
        finally:
            self._watch.end()
            self._canary.ready = False
            self._receiver.close()

    def _give_up(self, left: list[Delivery], grace: float) -> None:
        if left:
            log.warning(
                "worker %s leaves %d messages behind after %.1f seconds of grace",
                self.name,
                len(left),
                grace,
            )
        for delivery in left:
            self._runners[0].abandon(delivery, Drop.FAILED)
        self._out.close()

    def _sieve(self, taken: list[Delivery]) -> list[Delivery]:
        canary = self._canary_channel
        rest = [delivery for delivery in taken if delivery.channel != canary]
        if len(rest) < len(taken):
            self._canary.heard()
        return rest
