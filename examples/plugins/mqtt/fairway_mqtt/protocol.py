"""The connection to the broker, and the messages on it."""

import asyncio
import random
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress

import aiomqtt

from fairway import kit
from fairway_mqtt import topics
from fairway_mqtt.config import Mqtt

_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_MOST_REPLIES = 256
"""Replies that wait here; the others wait on the bus."""
_PATIENCE = 10.0
"""Seconds in which the broker must answer."""
_ENDLESS = float("inf")
"""A timeout of aiomqtt would hide a cancellation that comes with an answer."""
_LONGEST_NAME = 150
"""Characters of a device's name in a channel's name."""


class MqttProtocol(kit.BaseProtocol[Mqtt]):
    """A client of one broker, connected again whenever the connection breaks."""

    def __init__(self, config: Mqtt, host: kit.Host) -> None:
        super().__init__(config, host)
        prefix = f"$share/{config.share}/" if config.share else ""
        self._filters = [prefix + pattern for pattern in config.subscribe]
        self._inbox = asyncio.Queue[aiomqtt.Message](config.queue)
        self._outbox = asyncio.Queue[tuple[kit.Peer, str, kit.Content]]()
        self._client: aiomqtt.Client | None = None
        self._task: asyncio.Task[None] | None = None
        self._told = self._stopping = False
        self._heard = self._said = 0

    async def start(self) -> None:
        """Begin to connect; replies wait on the bus until that worked."""
        self.host.hold_replies(False)
        self.host.spawn(self._run())

    def deliver(self, peers: Sequence[kit.Peer], content: kit.Content) -> None:
        """Queue a reply for each device."""
        if not content.keys() & {"text", "bytes"}:
            return
        for peer in peers:
            key = peer.id.partition(":")[2]
            topic = content.get("topic") or self.config.publish.replace("{}", key)
            if topics.is_filter(topic):
                self.host.drop(kit.Drop.UNSUPPORTED, peer, f"no topic: {topic!r}")
            else:
                self._outbox.put_nowait((peer, topic, content))
        if self._outbox.qsize() >= _MOST_REPLIES:
            self.host.hold_replies(False)

    def figures(self) -> Mapping[str, float]:
        """Return what went through both ways, and whether a broker is there."""
        connected = self._client is not None
        return {"heard": self._heard, "said": self._said, "connected": connected}

    async def stop(self, grace: float) -> None:
        """Take nothing more, hand on what came, publish what waits, and leave."""
        try:
            async with asyncio.timeout(grace):
                if self._client is not None:
                    await self._client.unsubscribe(self._filters)
                    # `_fetch` has what is left within a few turns of the loop.
                    while len(self._client.messages):  # noqa: ASYNC110
                        await asyncio.sleep(0)
                    await self._outbox.join()
                await self._inbox.join()
        except (TimeoutError, aiomqtt.MqttError) as error:
            self.host.log.warning("the broker let us wait at the end: %r", error)
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=grace)
        while not self._outbox.empty():
            peer, _, content = self._outbox.get_nowait()
            self.host.put_back(peer, content)
        for _ in range(self._inbox.qsize()):
            self.host.drop(kit.Drop.UNAVAILABLE)

    async def _run(self) -> None:
        self._task = asyncio.current_task()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.config.concurrency):
                tasks.create_task(self._hand_on())
            pause = _PAUSE
            while True:
                if await self._serve():
                    pause = _PAUSE
                # A connection that breaks while this is cancelled hides that.
                if self._stopping:
                    raise asyncio.CancelledError
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _serve(self) -> bool:
        """Connect and stay until the connection breaks; return whether it worked."""
        try:
            client = await self._connect()
            try:
                await self._converse(client)
            finally:
                await client.__aexit__(None, None, None)
        except* aiomqtt.MqttError as errors:
            if not self._told:
                self.host.log.warning("no broker: %s", errors.exceptions[0])
            self._told = True
        finally:
            self.host.hold_replies(False)
            was, self._client = self._client, None
        return was is not None

    async def _connect(self) -> aiomqtt.Client:
        """Return a connected client; its `__aexit__` is to be called."""
        config = self.config
        client = aiomqtt.Client(
            config.host,
            config.port,
            username=config.username,
            password=config.password.reveal() if config.password else None,
            tls_params=aiomqtt.TLSParameters() if config.tls else None,
        )
        client.pending_calls_threshold = 2 * config.concurrency
        connecting = asyncio.create_task(client.__aenter__())
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            # Half a connection would stay open.
            with suppress(aiomqtt.MqttError):
                await connecting
                await client.__aexit__(None, None, None)
            raise

    async def _converse(self, client: aiomqtt.Client) -> None:
        """Carry messages both ways until the connection breaks."""
        filters = [(name, self.config.qos) for name in self._filters]
        async with asyncio.TaskGroup() as tasks:
            # First, because only who fetches is told that the connection broke.
            tasks.create_task(self._fetch(client))
            await _answered(client.subscribe(filters, timeout=_ENDLESS))
            self.host.log.info("connected to %s", self.config.host)
            self._client, self._told = client, False
            self.host.hold_replies(True)
            for _ in range(self.config.concurrency):
                tasks.create_task(self._publish(client))

    async def _fetch(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            try:
                self._inbox.put_nowait(message)
            except asyncio.QueueFull:
                self.host.drop(kit.Drop.FULL, None, message.topic.value)

    async def _hand_on(self) -> None:
        while True:
            message = await self._inbox.get()
            topic, payload = message.topic.value, message.payload
            key = topics.find_device(self.config.subscribe, topic)
            try:
                if len(kit.encode_local(key)) > _LONGEST_NAME:
                    self.host.drop(kit.Drop.LIMIT, None, f"a long name: {topic}")
                elif isinstance(payload, bytes):
                    content = topics.event(
                        topic, payload, qos=message.qos, retain=message.retain
                    )
                    peer = self.host.open_peer(None, client=key, key=key)
                    # What the bus does not take is counted, and nobody waits for it.
                    await self.host.emitted(peer, "mqtt.receive", content)
            finally:
                self._heard += 1
                self._inbox.task_done()

    async def _publish(self, client: aiomqtt.Client) -> None:
        while True:
            peer, topic, content = await self._outbox.get()
            qos = content.get("qos", self.config.qos)
            try:
                payload, retain = topics.payload(content), content.get("retain", False)
                call = client.publish(topic, payload, qos, retain, timeout=_ENDLESS)
                await _answered(call)
                self._said += 1
            except (aiomqtt.MqttError, asyncio.CancelledError):
                self.host.drop(kit.Drop.UNKNOWN, peer, topic)
                raise
            except (TypeError, ValueError) as error:
                self.host.drop(kit.Drop.UNSUPPORTED, peer, str(error))
            finally:
                self._outbox.task_done()
            if 2 * self._outbox.qsize() < _MOST_REPLIES:
                self.host.hold_replies(True)


async def _answered(call: Awaitable[object]) -> None:
    """Wait until the broker has answered.

    Raises:
        MqttError: it did not in time.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            await call
    except TimeoutError as error:
        raise aiomqtt.MqttError("no answer in time") from error
