"""The hooks a plugin may implement. The whole list fits on this page.

Write `@hookimpl` (from `fairway.kit`) before a function of the same name in the module
that the entry point names. Name only the arguments you use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import pluggy
from msgspec import Struct

from fairway.core.content import Content
from fairway.core.plugin.host import Peer
from fairway.core.plugin.spec import ProtocolSpec
from fairway.core.plugin.web import Mount
from fairway.core.settings import Settings

__all__ = ["Check", "Filter", "ProcessInfo", "hookimpl"]

hookspec = pluggy.HookspecMarker("fairway")
hookimpl = pluggy.HookimplMarker("fairway")

Filter = Callable[[str, Content, Peer | None], Content | None]
"""(protocol, content, peer or None) to the content that goes on, or None to drop it."""


class Check(Struct, frozen=True):
    """A finding about the site, shown among Django's system checks."""

    id: str
    """`<plugin>.E001` or the like."""
    level: Literal["error", "warning", "info"]
    text: str
    hint: str = ""


class ProcessInfo(Struct, frozen=True):
    """The process a hook is called in."""

    role: Literal["interface", "worker", "embedded"]
    name: str
    """Unique while it runs."""


# Collected once, when a process starts. The answers are declarations. An exception
# stops the start, or with STRICT_PLUGINS off takes the plugin out, named in the log.


@hookspec
def fairway_protocols() -> Sequence[ProtocolSpec]:
    """Declare protocols. First of all hooks, in every process."""


@hookspec
def fairway_channel_layers() -> Mapping[str, str]:
    """Declare channel layers: URL scheme to `module:Class`, in every process."""


@hookspec
def fairway_mounts(settings: Settings) -> Sequence[Mount]:
    """Declare places on other protocols; interface servers, when they start."""


@hookspec
def fairway_event_filters(settings: Settings) -> Sequence[Filter]:
    """Declare filters of events, run once per event before the bus; interface servers.

    They see the event's own keys, not the envelope; `peer` says whose event it is.
    """


@hookspec
def fairway_reply_filters(settings: Settings) -> Sequence[Filter]:
    """Declare filters of replies, run once per record; interface servers.

    `peer` is None when the record is for a group with several members here.
    """


@hookspec
def fairway_checks(settings: Settings) -> Sequence[Check]:
    """Look for mistakes; called by `manage.py check` and at the start of commands."""


# Called as things happen, in order of time. Nothing is returned; an exception is logged
# with the plugin's name and goes no further.


@hookspec
def fairway_interface_started(process: ProcessInfo) -> None:
    """All protocols listen; once, in the loop's thread of an interface server."""


@hookspec
def fairway_interface_stopping(process: ProcessInfo, grace: float) -> None:
    """An interface server stops within `grace` seconds; once, in the loop's thread."""


@hookspec
def fairway_worker_started(process: ProcessInfo) -> None:
    """A worker takes messages from here on; once, in its main thread."""


@hookspec
def fairway_worker_stopping(process: ProcessInfo, grace: float) -> None:
    """A worker ends what it took within `grace` seconds; once, in its main thread."""


@hookspec
def fairway_consumer_started(channel: str, content: Content, peer: str | None) -> None:
    """A consumer is about to run, in its thread. `peer` is the peer's identity."""


@hookspec
def fairway_consumer_finished(
    channel: str, content: Content, peer: str | None, error: Exception | None
) -> None:
    """A consumer has ended, in its thread; `error` is what it raised, if anything."""


@hookspec
def fairway_consumer_failed(
    channel: str, content: Content, peer: str | None, exception: Exception
) -> None:
    """A consumer has raised; while it is handled, in the consumer's thread.

    For reporters of errors: `content` is the whole message, secrets of clients
    included. What Django's views raise goes to Django's `got_request_exception`.
    """


@hookspec
def fairway_plugin_failed(plugin: str, hook: str, exception: Exception) -> None:
    """Code of a plugin has raised; while it is handled, in the thread of that code.

    `hook` says which: a hook, `fairway_event_filters` or `fairway_reply_filters` for a
    filter that these declared, a method of a protocol (`deliver`, `forwarded`, `hold`,
    `refuse`, `stop` or `unanswered`), what reads a connection or a port (`accept`,
    `received`, `writable` or `closed`), `deadline`, `spawn`, `webhook`, or `open` for a
    mount; a mapping is named by whatever asked it. What this very hook raises is logged
    only.
    """
