"""Declares what a test chooses, in whatever form."""

from typing import Any

from fairway import kit

DECLARED: dict[str, Any] = {}


@kit.hookimpl
def fairway_protocols() -> Any:
    return DECLARED.get("protocols", ())


@kit.hookimpl
def fairway_mounts() -> Any:
    return DECLARED.get("mounts", ())


@kit.hookimpl
def fairway_event_filters() -> Any:
    return DECLARED.get("filters", ())


@kit.hookimpl
def fairway_channel_layers() -> Any:
    return DECLARED.get("layers", ())


@kit.hookimpl
def fairway_checks() -> Any:
    return DECLARED.get("checks", ())
