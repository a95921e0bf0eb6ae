"""The settings of the echo site, with metrics."""

import os

from echo.settings import *  # noqa: F403
from echo.settings import FAIRWAY as ECHO

FAIRWAY = {
    **ECHO,
    "METRICS_TOKEN": "hush-hush",
    "PLUGINS": {
        "http": {"bind": [f"tcp:{os.environ['WATCHED_PORT']}:interface=127.0.0.1"]},
        "websocket": {},
    },
}
