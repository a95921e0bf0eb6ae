"""A plugin that offers a channel layer."""

from collections.abc import Mapping

from fairway.kit import hookimpl


@hookimpl
def fairway_channel_layers() -> Mapping[str, str]:
    """Declare the layer."""
    return {"mine": "my_package.layer:MyLayer"}
