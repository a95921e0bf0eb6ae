"""A process that runs an interface server; prints its port, then serves."""

import sys

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.plugin.host import Site
from fairway.core.plugin.loading import Plugins
from fairway.core.settings import read_settings
from fairway.interfaces.server import InterfaceServer, run


def main(grace: float) -> None:
    section = {"bind": ["tcp:0:interface=127.0.0.1"]}
    plugins = Plugins(
        read_settings({"PLUGINS": {"tests.core.plugin.lines": section}, "GRACE": grace})
    )
    layer = MemoryLayer("memory://", LayerPolicy())
    servers: list[InterfaceServer] = []

    def make_server() -> InterfaceServer:
        servers.append(InterfaceServer(layer, plugins, plugins.settings, Site()))
        return servers[0]

    def started() -> None:
        protocol = servers[0].protocols["lines"]
        print(protocol.listeners[0].port, flush=True)  # type: ignore[attr-defined]  # noqa: T201

    run(make_server, started=started)
    assert "django" not in sys.modules
    print("stopped", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(float(sys.argv[1]))
