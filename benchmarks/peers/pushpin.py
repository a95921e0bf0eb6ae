"""Pushpin with a configuration of its own, in front of a backend.

`python -m benchmarks.peers.pushpin FOLDER PORT BACKEND_PORT CONTROL_PORT`

Everything is in FOLDER, sockets included. Options: https://pushpin.org/docs/configuration/
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_CONFIGURATION = """
[global]
include={{libdir}}/internal.conf
rundir={folder}
ipc_prefix=bench-

[runner]
services=condure,zurl,pushpin-proxy,pushpin-handler
http_port={port}
logdir={folder}
log_level=1
client_maxconn=50000

[proxy]
routesfile=routes
updates_check=off
zurl_out_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-in
zurl_out_stream_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-in-stream
zurl_in_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-out

[handler]
push_in_spec=ipc://{{rundir}}/{{ipc_prefix}}push
push_in_sub_specs=ipc://{{rundir}}/{{ipc_prefix}}push-sub
push_in_http_addr=127.0.0.1
push_in_http_port={control_port}
command_spec=ipc://{{rundir}}/{{ipc_prefix}}command
stats_spec=ipc://{{rundir}}/{{ipc_prefix}}stats
# Its own limit, 2,500 messages a second, is no part of what is measured.
message_rate=1000000
message_hwm=1000000
"""


def main(place: str, port: str, backend_port: str, control_port: str) -> None:
    """Write the configuration, then become Pushpin."""
    folder = Path(place)
    configuration = folder / "pushpin.conf"
    configuration.write_text(
        _CONFIGURATION.format(folder=folder, port=port, control_port=control_port)
    )
    (folder / "routes").write_text(f"* 127.0.0.1:{backend_port}\n")
    os.execlp("pushpin", "pushpin", "--config", str(configuration))


if __name__ == "__main__":
    main(*sys.argv[1:])
