"""A plugin that implements every hook, and notes what it is told."""

from collections.abc import Mapping, Sequence

from fairway import kit

HEARD: list[tuple[str, object]] = []
"""What happened, in order."""


class Notes(kit.Config, frozen=True, kw_only=True):
    """The plugin's section in the settings."""

    bind: tuple[str, ...] = ("tcp:7000:interface=127.0.0.1",)
    path: str = "/notes/"


class Session(kit.StreamMapping[Notes]):
    """Every piece of bytes is an event."""

    def received(self, data: bytes, now: float) -> Sequence[kit.Step]:
        return [kit.Emit("notes.receive", {"text": data.decode(errors="replace")})]

    def reply(self, content: kit.Content, now: float) -> Sequence[kit.Step]:
        return [kit.Write(content["text"].encode())] if "text" in content else []


class Protocol(kit.StreamProtocol[Notes]):
    """Listens on `bind`, and answers requests on `path`."""

    mapping = Session

    def open(self, exchange: kit.Exchange) -> None:
        """Take a request from http."""
        exchange.respond(200, [(b"content-type", b"text/plain")], b"notes are taken")


@kit.hookimpl
def fairway_protocols() -> Sequence[kit.ProtocolSpec]:
    spec = kit.ProtocolSpec(
        name="notes",
        config=Notes,
        events=(kit.Event(channel="notes.receive", keys={"text": str}),),
        replies={"text": str},
        peers="owned",
        ordering="peer",
        transports={"twisted": f"{__name__}:Protocol"},
    )
    return [spec]


@kit.hookimpl
def fairway_channel_layers() -> Mapping[str, str]:
    return {"notes": "fairway.core.bus.memory:MemoryLayer"}


@kit.hookimpl
def fairway_mounts(settings: kit.Settings) -> Sequence[kit.Mount]:
    path = settings.section("every_hook", Notes).path
    return [kit.Mount(on="http", prefix=path, methods=("GET",), open=Protocol.open)]


def shorten(
    protocol: str, content: kit.Content, peer: kit.Peer | None
) -> kit.Content | None:
    """Drop what is empty, cut what is long."""
    if protocol != "notes" or "text" not in content:
        return content
    return (
        {**content, "text": content["text"][:20]} if content["text"].strip() else None
    )


@kit.hookimpl
def fairway_event_filters(settings: kit.Settings) -> Sequence[kit.Filter]:
    return [shorten]


@kit.hookimpl
def fairway_reply_filters(settings: kit.Settings) -> Sequence[kit.Filter]:
    return [shorten]


@kit.hookimpl
def fairway_checks(settings: kit.Settings) -> Sequence[kit.Check]:
    if "http" in settings.plugins:
        return []
    text = "The plugin 'every_hook' stands on http, which is not enabled."
    return [kit.Check("every_hook.W001", "warning", text, 'Add "http" to PLUGINS.')]


@kit.hookimpl
def fairway_interface_started(process: kit.ProcessInfo) -> None:
    HEARD.append(("interface_started", process.role))


@kit.hookimpl
def fairway_interface_stopping(process: kit.ProcessInfo, grace: float) -> None:
    HEARD.append(("interface_stopping", grace))


@kit.hookimpl
def fairway_worker_started(process: kit.ProcessInfo) -> None:
    HEARD.append(("worker_started", process.role))


@kit.hookimpl
def fairway_worker_stopping(process: kit.ProcessInfo, grace: float) -> None:
    HEARD.append(("worker_stopping", grace))


@kit.hookimpl
def fairway_consumer_started(channel: str, content: kit.Content) -> None:
    HEARD.append(("consumer_started", content["text"]))
    if content["text"] == "break the hook":
        raise ValueError("a bug in a hook")


@kit.hookimpl
def fairway_consumer_finished(channel: str, error: Exception | None) -> None:
    HEARD.append(("consumer_finished", error))


@kit.hookimpl
def fairway_consumer_failed(channel: str, exception: Exception) -> None:
    HEARD.append(("consumer_failed", str(exception)))


@kit.hookimpl
def fairway_plugin_failed(plugin: str, hook: str, exception: Exception) -> None:
    HEARD.append(("plugin_failed", f"{hook} of {plugin}: {exception}"))
