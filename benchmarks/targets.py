"""What is measured: fairway in its two shapes, and the peers."""

from __future__ import annotations

import sys
from dataclasses import replace

from benchmarks.server import ROOT, Target

__all__ = [
    "BARE",
    "BARE_UDP",
    "BUS_BARE",
    "BUS_CHANNELS",
    "BUS_MEMORY",
    "BUS_REDIS",
    "DAPHNE",
    "DAPHNE_LAYER",
    "FAIRWAY_ONE",
    "FAIRWAY_REDIS",
    "FAIRWAY_REDIS_AUTOBAHN",
    "GUNICORN",
    "PUSHPIN",
    "UVICORN",
    "UVICORN_ALONE",
    "UVICORN_LAYER",
]

_PYTHON = sys.executable
_MANAGE = (_PYTHON, "examples/echo/manage.py")
_REDIS = (
    *("redis-server", "--port", "{redis_port}", "--bind", "127.0.0.1"),
    *("--save", "", "--appendonly", "no"),
)
_REDIS_URL = "redis://127.0.0.1:{redis_port}/0"
_ECHO = {
    "FAIRWAY_UDP_PORT": "{port}",
    "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
    "PYTHONPATH": f"{ROOT}:{ROOT / 'examples/echo'}",
}
_PEERS = {"DJANGO_SETTINGS_MODULE": "benchmarks.peers.settings"}
_PEERS_LAYER = {**_PEERS, "BENCH_REDIS": _REDIS_URL}
_DJANGO = "benchmarks.peers.asgi:application"
_CHANNELS = "benchmarks.peers.channels_asgi:application"
_CHANNELS_PACKAGES = ("channels", "channels_redis")


def _uvicorn(application: str) -> tuple[str, ...]:
    quiet = ("--log-level", "warning", "--no-access-log", "--timeout-keep-alive", "75")
    address = ("--host", "127.0.0.1", "--port", "{port}")
    return (_PYTHON, "-m", "uvicorn", *quiet, *address, application)


def _daphne(application: str) -> tuple[str, ...]:
    address = ("-b", "127.0.0.1", "-p", "{port}")
    return (_PYTHON, "-m", "daphne", "-v", "0", *address, application)


FAIRWAY_REDIS = Target(
    "fairway over Redis",
    {
        "redis": _REDIS,
        "worker": (*_MANAGE, "runworker", "-v", "0"),
        "interface": (*_MANAGE, "runinterface", "--port", "{port}", "-v", "0"),
    },
    {**_ECHO, "FAIRWAY_LAYER": _REDIS_URL},
    peer=False,
)
FAIRWAY_REDIS_AUTOBAHN = replace(
    FAIRWAY_REDIS,
    name="fairway over Redis, Autobahn",
    environment={**FAIRWAY_REDIS.environment, "FAIRWAY_ENGINE": "autobahn"},
)
FAIRWAY_ONE = Target(
    "fairway, one process",
    {"process": (_PYTHON, "-m", "benchmarks.embedded", "{port}")},
    {**_ECHO, "FAIRWAY_LAYER": "memory://"},
    peer=False,
)
GUNICORN = Target(
    "gunicorn sync",
    {
        "server": (
            *(_PYTHON, "-m", "gunicorn", "--workers", "1", "--log-level", "warning"),
            *("--bind", "127.0.0.1:{port}", "benchmarks.peers.wsgi:application"),
        )
    },
    _PEERS,
    needs=("gunicorn", "channels"),
)
UVICORN = Target(
    "uvicorn", {"server": _uvicorn(_DJANGO)}, _PEERS, needs=("uvicorn", "channels")
)
DAPHNE = Target(
    "Daphne", {"server": _daphne(_DJANGO)}, _PEERS, needs=("daphne", "channels")
)
UVICORN_ALONE = Target(
    "uvicorn, AsyncConsumer, no bus",
    {"server": _uvicorn(_CHANNELS)},
    _PEERS,
    needs=("uvicorn", "channels"),
)
UVICORN_LAYER = Target(
    "uvicorn + channels_redis",
    {"redis": _REDIS, "server": _uvicorn(_CHANNELS)},
    _PEERS_LAYER,
    needs=("uvicorn", *_CHANNELS_PACKAGES),
)
DAPHNE_LAYER = Target(
    "Daphne + channels_redis",
    {"redis": _REDIS, "server": _daphne(_CHANNELS)},
    _PEERS_LAYER,
    needs=("daphne", *_CHANNELS_PACKAGES),
)
PUSHPIN = Target(
    "Pushpin + gunicorn",
    {
        "pushpin": (
            *(_PYTHON, "-m", "benchmarks.peers.pushpin", "{folder}"),
            *("{port}", "{backend_port}", "{control_port}"),
        ),
        "backend": (
            *(_PYTHON, "-m", "gunicorn", "--workers", "1", "--threads", "8"),
            *("--keep-alive", "75", "--log-level", "warning"),
            *(
                "--bind",
                "127.0.0.1:{backend_port}",
                "benchmarks.peers.wsgi:application",
            ),
        ),
    },
    {
        **_PEERS,
        "BENCH_URLS": "benchmarks.peers.grip",
        "BENCH_CONTROL_PORT": "{control_port}",
    },
    needs=("gunicorn", "channels"),
    programs=("pushpin", "condure", "zurl"),
)
BARE = Target(
    "bare loop",
    {"server": (_PYTHON, "-m", "benchmarks.peers.bare", "{port}")},
    needs=("uvloop",),
)
BARE_UDP = Target(
    "bare Twisted",
    {"server": (_PYTHON, "-m", "benchmarks.peers.bare_udp", "{port}")},
    needs=("uvloop",),
    http=False,
)
BUS_MEMORY = Target("memory layer, two threads", {}, peer=False, http=False)
BUS_REDIS = Target(
    "Redis layer",
    {"redis": _REDIS, "echo": (_PYTHON, "-m", "benchmarks.bus_echo", _REDIS_URL)},
    peer=False,
    http=False,
)
BUS_CHANNELS = Target(
    "channels_redis",
    {"redis": _REDIS, "echo": (_PYTHON, "-m", "benchmarks.peers.bus_echo", _REDIS_URL)},
    needs=("channels_redis", "uvloop"),
    http=False,
)
BUS_BARE = Target(
    "bare lists of Redis",
    {
        "redis": _REDIS,
        "echo": (_PYTHON, "-m", "benchmarks.peers.bare_bus", "{redis_port}"),
    },
    http=False,
)
