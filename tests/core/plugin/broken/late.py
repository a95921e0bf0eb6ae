"""Loads, but fails to declare its mounts and filters, and to hear of a start."""

from fairway import kit


@kit.hookimpl
def fairway_mounts(settings: kit.Settings) -> list[kit.Mount]:
    raise ValueError("a bug in the mounts")


@kit.hookimpl
def fairway_worker_started(process: kit.ProcessInfo) -> None:
    raise ValueError("a bug in a hook")
