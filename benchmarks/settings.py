"""The site `examples/echo`, with the middleware that a measurement asks for."""

from echo.settings import *  # noqa: F403

from benchmarks.peers.settings import INSTALLED_APPS as PEER_APPS
from benchmarks.peers.settings import MIDDLEWARE as PEER_MIDDLEWARE
from benchmarks.peers.settings import SESSION_ENGINE as PEER_SESSION_ENGINE

INSTALLED_APPS = ["fairway", *PEER_APPS]
MIDDLEWARE = PEER_MIDDLEWARE
SESSION_ENGINE = PEER_SESSION_ENGINE
