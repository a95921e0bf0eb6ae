"""Names an argument that its hook does not have."""

from fairway import kit


@kit.hookimpl
def fairway_mounts(setings: kit.Settings) -> list[kit.Mount]:
    return []
