"""Names an argument that its hook does not have."""

from fairway import kit


@kit.hookimpl
def fairway_mounts(settingz: kit.Settings) -> list[kit.Mount]:
    return []
