"""The interface server: runs all enabled protocols over a channel layer."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

import msgspec

from fairway.core.bus.layer import ChannelLayer, Mailbox
from fairway.core.exceptions import ConfigurationError, FairwayError, PluginError
from fairway.core.metrics import Metrics, Part
from fairway.core.plugin.hookspecs import ProcessInfo
from fairway.core.plugin.host import Site
from fairway.core.plugin.loading import (
    DeclaredMount,
    LoadedProtocol,
    Plugins,
    import_path,
)
from fairway.core.plugin.protocol import BaseProtocol
from fairway.core.plugin.web import MountPoint
from fairway.core.settings import Limits, Settings, read_section
from fairway.interfaces.backplane import Backplane
from fairway.interfaces.canary import CanaryWatch
from fairway.interfaces.delivery import MailboxDelivery
from fairway.interfaces.descriptors import raise_descriptor_limit
from fairway.interfaces.figures import figures
from fairway.interfaces.host import ProtocolHost
from fairway.interfaces.losses import Losses
from fairway.interfaces.reactor import install_reactor, new_loop
from fairway.interfaces.status import Status

__all__ = ["InterfaceServer", "run"]

TRANSPORT = "twisted"
"""The kind of transport that this server hosts."""

log = logging.getLogger("fairway.interfaces")


class InterfaceServer:
    """All enabled protocols of one process.

    Construct it anywhere; `start` and `stop` belong to a running loop.

    Args:
        canary: seconds between two messages to itself, and seconds without one after
            which the server is not ready.
        beside: what else runs in the process and adds to its metrics.

    Attributes:
        protocols: the running protocols by name.
        failed: those that could not start, with STRICT_PLUGINS off.
    """

    def __init__(
        self,
        layer: ChannelLayer,
        plugins: Plugins,
        settings: Settings,
        site: Site,
        *,
        canary: tuple[float, float] | None = None,
        beside: Sequence[Part] = (),
    ) -> None:
        self.layer = layer
        self.plugins = plugins
        self.settings = settings
        self.site = site
        self.protocols: dict[str, BaseProtocol[Any]] = {}
        self.failed: dict[str, FairwayError] = {}
        self._canary_times = canary
        self._beside = beside
        self._hosts: list[ProtocolHost] = []
        self._status = Status(self.obstacle, self._blocking_metrics)
        self._declared: list[DeclaredMount] = []
        self._backplane: Backplane | None = None
        self._canary: CanaryWatch | None = None
        self._mailbox: Mailbox | None = None
        self._metrics: Metrics | None = None
        self._started = False
        self._stopping = False

    @property
    def ready(self) -> bool:
        """Whether all protocols listen and the mailbox gets its messages."""
        return self.obstacle() is None

    @property
    def name(self) -> str:
        """The name of its mailbox, once it has started."""
        return "" if self._mailbox is None else self._mailbox.name

    def obstacle(self) -> str | None:
        """Return one line that says why the server is not ready, or None."""
        if self._stopping:
            return "stopping"
        if not self._started or self._canary is None:
            return "starting"
        if not self._canary.alive:
            return "the channel layer does not deliver"
        return None

    def metrics(self) -> Metrics:
        """Return the metrics of this process, once it has started."""
        assert self._backplane is not None
        assert self._canary is not None
        hosts, peers, canary = self._hosts, self._backplane.peers, self._canary
        channels = [event.channel for host in hosts for event in host.spec.events]
        own = Part(channels, lambda: figures(hosts, peers, canary))
        return Metrics(self.layer, [own, *self._beside])

    async def start(self) -> None:
        """Open the mailbox and start all protocols.

        Raises:
            FairwayError: a protocol cannot start; the others are stopped again.
        """
        backplane = self._backplane = Backplane(self.layer)
        try:
            self._open_mailbox(backplane)
            self._declared = [*self.plugins.mounts(), *self._status_mounts()]
            for loaded in list(self.plugins.protocols.values()):
                with _Leniency(self, loaded):
                    self._create(loaded, backplane)
            for name in self._start_order():
                loaded = self.plugins.protocols[name]
                with _Leniency(self, loaded):
                    await self.protocols[name].start()
                    if (shared := self._host_of(name).shared) is not None:
                        shared.start()
        except BaseException:
            await self.stop(0.0)
            raise
        self._started = True
        log.info("interface server %s serves %s", self.name, ", ".join(self.protocols))
        self.plugins.notify("fairway_interface_started", process=self._process())

    async def stop(self, grace: float | None = None) -> None:
        """Stop listening, let what has begun end, and leave the channel layer.

        Args:
            grace: seconds; the setting `GRACE` by default.
        """
        backplane = self._backplane
        if backplane is None or self._stopping:
            return
        self._stopping = True
        grace = self.settings.grace if grace is None else grace
        end = backplane.loop.time() + grace
        if self._started:
            self.plugins.notify(
                "fairway_interface_stopping", process=self._process(), grace=grace
            )
        await asyncio.gather(
            *(self._stop_protocol(name, grace) for name in self.protocols)
        )
        for peer in backplane.peers:
            peer.owner.close_peer(peer)
        await backplane.settle(max(0.0, end - backplane.loop.time()))
        if self._mailbox is not None:
            await self._mailbox.close()
        await backplane.close()

    def _blocking_metrics(self, use: Callable[[bytes | None], None]) -> None:
        """Call `use` with the metrics, read in a thread; with None if that fails."""
        backplane = self._backplane
        assert backplane is not None
        if self._metrics is None:
            self._metrics = self.metrics()
        text = self._metrics.text

        async def collect() -> None:
            try:
                found = await backplane.blocking(text)
            except Exception:
                log.exception("the metrics could not be read")
                use(None)
            else:
                use(found)

        backplane.spawn(collect())

    def _open_mailbox(self, backplane: Backplane) -> None:
        clock, port = backplane.clock, backplane.port
        if self._canary_times is None:
            self._canary = CanaryWatch(port, clock)
        else:
            every, late = self._canary_times
            self._canary = CanaryWatch(port, clock, every=every, late=late)
        losses = Losses(backplane.peers, clock, self._canary.is_deaf)
        delivery = MailboxDelivery(backplane, self._canary.heard, losses.emptied)
        self._mailbox = port.mailbox("interface", delivery)
        backplane.mailbox = self._mailbox.name
        self._canary.begin(self._mailbox)

    def _create(self, loaded: LoadedProtocol, backplane: Backplane) -> None:
        spec = loaded.spec
        if TRANSPORT not in spec.transports:
            raise PluginError(
                loaded.plugin, f"{spec.name!r} has no transport for {TRANSPORT!r}"
            )
        host = ProtocolHost(
            loaded,
            backplane,
            limits=_limits(self.settings, loaded),
            site=self.site,
            grace=self.settings.grace,
            event_filters=self.plugins.event_filters(),
            reply_filters=self.plugins.reply_filters(),
            mounts=self._mounts,
            failed=self.plugins.report,
        )
        protocol_class: type[BaseProtocol[Any]]
        protocol_class = import_path(spec.transports[TRANSPORT])
        protocol = protocol_class(loaded.config, host)
        host.serve(protocol)
        self._hosts.append(host)
        self.protocols[spec.name] = protocol

    def _start_order(self) -> list[str]:
        """Return the protocols, those that others stand on after these."""
        graph: TopologicalSorter[str] = TopologicalSorter()
        for name in self.protocols:
            graph.add(name)
        for declared in self._declared:
            on = declared.mount.on
            for name in self._protocols_of(declared.plugin):
                if name != on and on in self.protocols:
                    graph.add(on, name)
        try:
            return list(graph.static_order())
        except CycleError as error:
            names = " -> ".join(error.args[1])
            raise ConfigurationError(
                'FAIRWAY["PLUGINS"]', f"has protocols that stand on each other: {names}"
            ) from None

    def _mounts(self, on: str) -> Sequence[MountPoint]:
        """Bind the mounts on a protocol to the running protocols that declared them."""
        points = []
        for declared in self._declared:
            mount = declared.mount
            names = self._protocols_of(declared.plugin)
            if mount.on != on or declared.plugin in self.failed:
                continue
            protocol = self.protocols[names[0]] if names else None
            points.append(_bound(declared, protocol))
        return sorted(points, key=lambda point: -len(point.prefix))

    def _protocols_of(self, plugin: str) -> list[str]:
        return [
            name
            for name in self.protocols
            if self.plugins.protocols[name].plugin == plugin
        ]

    def _status_mounts(self) -> list[DeclaredMount]:
        mounts = self._status.fairway_mounts(self.settings)
        return [DeclaredMount("status", mount) for mount in mounts]

    async def _stop_protocol(self, name: str, grace: float) -> None:
        shared = self._host_of(name).shared
        try:
            async with asyncio.timeout(grace + 1.0):
                if shared is not None:
                    await shared.stop()
                await self.protocols[name].stop(grace)
        except TimeoutError:
            log.warning("protocol %s did not stop within %g seconds", name, grace)
        except Exception as error:
            self._host_of(name).failed("stop", error)
        finally:
            if shared is not None:
                await shared.give_up()

    def _host_of(self, name: str) -> ProtocolHost:
        return next(host for host in self._hosts if host.name == name)

    def _process(self) -> ProcessInfo:
        return ProcessInfo("interface", self.name)


class _Leniency:
    """Names the protocol in an error, and swallows it when settings say so."""

    def __init__(self, server: InterfaceServer, loaded: LoadedProtocol) -> None:
        self._server = server
        self._loaded = loaded

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if not isinstance(error, Exception):
            return False
        plugin, name = self._loaded.plugin, self._loaded.spec.name
        named = error
        if not isinstance(named, FairwayError):
            named = PluginError(plugin, f"{name!r} cannot start: {error!r}")
        if self._server.settings.strict_plugins:
            raise named from error
        self._server.failed[plugin] = named
        self._server.protocols.pop(name, None)
        log.error("protocol %s is left out: %s", name, named)
        return True


def _bound(declared: DeclaredMount, protocol: BaseProtocol[Any] | None) -> MountPoint:
    mount = declared.mount
    return MountPoint(
        prefix=mount.prefix,
        methods=mount.methods,
        upgrade=mount.upgrade,
        plugin=declared.plugin,
        open=lambda exchange: mount.open(protocol, exchange),
    )


def _limits(settings: Settings, loaded: LoadedProtocol) -> Limits:
    """Return the limits of a protocol: its own over those of all.

    Raises:
        ConfigurationError: one of them is unknown, or not a positive number.
    """
    setting = f'FAIRWAY["PLUGINS"]["{loaded.plugin}"]["limits"]'
    common = msgspec.structs.asdict(settings.limits)
    limits = read_section({**common, **loaded.config.limits}, Limits, setting)
    for name, value in msgspec.structs.asdict(limits).items():
        if not value > 0:  # also true of nan
            raise ConfigurationError(f'{setting}["{name}"]', "must be above 0")
    return limits


def run(
    make_server: Callable[[], InterfaceServer],
    *,
    signals: bool = True,
    started: Callable[[], None] = lambda: None,
) -> None:
    """Run an interface server in a loop of its own until it is told to stop.

    SIGTERM or SIGINT stops it within the setting `GRACE`, a second one at once. Once
    per process: Twisted has one reactor.

    Args:
        signals: whether to listen to signals; only the main thread can.
        started: called once everything listens.

    Raises:
        FairwayError: a protocol cannot start.
    """
    raise_descriptor_limit()
    loop = new_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_serve(make_server, signals=signals, started=started))
    finally:
        _end(loop)


async def _serve(
    make_server: Callable[[], InterfaceServer],
    *,
    signals: bool,
    started: Callable[[], None],
) -> None:
    loop = asyncio.get_running_loop()
    install_reactor(loop)
    server = make_server()
    told = asyncio.Event()

    async def serve() -> None:
        await server.start()
        started()
        await told.wait()
        await server.stop()

    work = loop.create_task(serve())

    def stop() -> None:
        if told.is_set():
            log.warning("stopping at once")
            work.cancel()
        else:
            log.info("stopping within %g seconds", server.settings.grace)
            told.set()

    if signals:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
    try:
        await work
    except asyncio.CancelledError:
        if not told.is_set():
            raise


def _end(loop: asyncio.AbstractEventLoop) -> None:
    from twisted.internet import reactor

    for task in asyncio.all_tasks(loop):
        task.cancel()
    if getattr(reactor, "_asyncioEventloop", None) is loop:
        # Ends what Twisted keeps beside, such as its pool of threads, and the loop.
        loop.call_soon(reactor.fireSystemEvent, "shutdown")
        loop.run_forever()
    loop.run_until_complete(loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    loop.close()
