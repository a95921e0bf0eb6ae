"""The manual's plugin offers its channel layer."""

from fairway.core.plugin.loading import Plugins
from fairway.core.settings import read_settings


def test_its_scheme_is_found() -> None:
    settings = read_settings({"PLUGINS": {"tests.manual.layer_plugin": {}}})

    layers = Plugins(settings).channel_layers()

    assert layers == {"mine": "my_package.layer:MyLayer"}
