"""The site `examples/echo`, with the middleware that a measurement asks for."""

import echo.settings
from echo.settings import *  # noqa: F403

from benchmarks.peers.settings import INSTALLED_APPS as PEER_APPS
from benchmarks.peers.settings import MIDDLEWARE as PEER_MIDDLEWARE
from benchmarks.peers.settings import SESSION_ENGINE as PEER_SESSION_ENGINE

INSTALLED_APPS = ["fairway", *PEER_APPS]
MIDDLEWARE = PEER_MIDDLEWARE
SESSION_ENGINE = PEER_SESSION_ENGINE

# A poll of W4 and W5 waits as long as it takes to begin thousands of them.
_PATIENT = {"poll_timeout": 600.0, "idle_timeout": 600.0}
FAIRWAY = {
    **echo.settings.FAIRWAY,
    "PLUGINS": {**echo.settings.FAIRWAY["PLUGINS"], "longpoll": _PATIENT},
}
