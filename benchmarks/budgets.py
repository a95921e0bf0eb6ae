"""The performance budgets of fairway, each as figures that a run can judge."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import (
    w1_http,
    w2_echo,
    w3_broadcast,
    w4_memory,
    w5_polls,
    w6_bus,
    w7_udp,
    w8_slow,
)
from benchmarks.measure import Figure, Results
from benchmarks.targets import (
    BARE,
    BARE_UDP,
    BUS_CHANNELS,
    BUS_MEMORY,
    BUS_REDIS,
    DAPHNE,
    FAIRWAY_ONE,
    FAIRWAY_REDIS,
    FAIRWAY_REDIS_AUTOBAHN,
    GUNICORN,
    PUSHPIN,
    UVICORN_ALONE,
    UVICORN_LAYER,
)

__all__ = ["BUDGETS", "Budget", "Verdict"]


@dataclass(frozen=True)
class Budget:
    """One promise: a figure, or its ratio to another, and what it may be."""

    text: str
    figure: Figure
    limit: float
    unit: str = "x"
    other: Figure | None = None
    """The figure becomes the median of the rounds' ratios to this one."""
    at_least: bool = False
    """Whether more is better."""

    def judge(self, results: Results) -> Verdict:
        """Compare what was measured with the limit."""
        if self.other is None:
            value = results.median(self.figure)
        else:
            value = results.ratio(self.figure, self.other)
        return Verdict(self, value)


@dataclass(frozen=True)
class Verdict:
    """What a run says of a budget."""

    budget: Budget
    value: float | None
    """None when the run did not measure it."""

    @property
    def met(self) -> bool:
        """Whether the value is within the limit."""
        if self.value is None:
            return False
        if self.budget.at_least:
            return self.value >= self.budget.limit
        return self.value <= self.budget.limit

    @property
    def word(self) -> str:
        """Say it: met, or missed by which factor."""
        if self.value is None:
            return "not measured"
        if self.met:
            return "met"
        limit, value = self.budget.limit, self.value
        factor = limit / value if self.budget.at_least and value else value / limit
        return f"**missed**, {factor:.2f} times off"


_NONE, _DEFAULT = w1_http.CASES
_ONE_SOCKET, _SOCKETS = w2_echo.case(1), w2_echo.case(32)
_MEMBERS = w3_broadcast.case(5_000)


def _w1(target: str, case: str, metric: str = "cpu") -> Figure:
    return Figure(w1_http.NAME, case, target, metric)


def _w2(target: str, metric: str = "cpu", case: str = _SOCKETS) -> Figure:
    return Figure(w2_echo.NAME, case, target, metric)


def _w3(target: str) -> Figure:
    return Figure(w3_broadcast.NAME, _MEMBERS, target, "last")


def _w4(target: str, case: str = w4_memory.SOCKETS) -> Figure:
    return Figure(w4_memory.NAME, case, target, "kib")


def _w5(target: str, metric: str = "cpu") -> Figure:
    return Figure(w5_polls.NAME, w5_polls.case(w5_polls.POLLS), target, metric)


def _w5_paced(target: str) -> Figure:
    case = w5_polls.paced_case(w5_polls.POLLS)
    return Figure(w5_polls.NAME, case, target, "cpu")


def _w6(target: str, metric: str, case: str = w6_bus.BATCHED) -> Figure:
    return Figure(w6_bus.NAME, case, target, metric)


def _w7(target: str) -> Figure:
    return Figure(w7_udp.NAME, w7_udp.CASE, target, "cpu")


def _w8(target: str, slow: int) -> Figure:
    return Figure(w8_slow.NAME, w8_slow.case(slow), target, "rise")


_REDIS, _ONE = FAIRWAY_REDIS.name, FAIRWAY_ONE.name
_AUTOBAHN = FAIRWAY_REDIS_AUTOBAHN.name

BUDGETS = (
    Budget(
        "W1 over Redis, no middleware: CPU to gunicorn sync",
        _w1(_REDIS, _NONE),
        0.5,
        other=_w1(GUNICORN.name, _NONE),
    ),
    Budget(
        "W1 over Redis, default middleware: CPU to gunicorn sync",
        _w1(_REDIS, _DEFAULT),
        0.7,
        other=_w1(GUNICORN.name, _DEFAULT),
    ),
    Budget(
        "W1 one process, no middleware: CPU to gunicorn sync",
        _w1(_ONE, _NONE),
        0.4,
        other=_w1(GUNICORN.name, _NONE),
    ),
    Budget(
        "W1 one process, default middleware: CPU to gunicorn sync",
        _w1(_ONE, _DEFAULT),
        0.6,
        other=_w1(GUNICORN.name, _DEFAULT),
    ),
    Budget(
        "W1 over Redis, no middleware: rate to Daphne",
        _w1(_REDIS, _NONE, "rate"),
        8,
        other=_w1(DAPHNE.name, _NONE, "rate"),
        at_least=True,
    ),
    Budget("W2 over Redis, 32: CPU with Autobahn", _w2(_AUTOBAHN), 130, "us"),
    Budget("W2 over Redis, 32: CPU with the lean engine", _w2(_REDIS), 60, "us"),
    Budget(
        "W2 over Redis, 32: CPU to Channels 4 over channels_redis, with Autobahn",
        _w2(_AUTOBAHN),
        1 / 15,
        other=_w2(UVICORN_LAYER.name),
    ),
    Budget(
        "W2 over Redis, 32: CPU to Channels 4 over channels_redis, lean engine",
        _w2(_REDIS),
        1 / 30,
        other=_w2(UVICORN_LAYER.name),
    ),
    Budget(
        "W2 over Redis, 32: CPU to uvicorn's AsyncConsumer without any bus",
        _w2(_REDIS),
        1,
        other=_w2(UVICORN_ALONE.name),
    ),
    Budget(
        "W2 over Redis, lone round trip p50",
        _w2(_REDIS, "p50", _ONE_SOCKET),
        0.5,
        "ms",
    ),
    Budget(
        "W2 one process, lone round trip p50",
        _w2(_ONE, "p50", _ONE_SOCKET),
        0.2,
        "ms",
    ),
    Budget(
        "W3 over Redis, 5,000: time to the last, to a bare loop",
        _w3(_REDIS),
        1.5,
        other=_w3(BARE.name),
    ),
    Budget(
        "W3 one process, 5,000: time to the last, to a bare loop",
        _w3(_ONE),
        1.5,
        other=_w3(BARE.name),
    ),
    Budget(
        "W3 over Redis, 5,000: time to the last, to channels_redis",
        _w3(_REDIS),
        1 / 8,
        other=_w3(UVICORN_LAYER.name),
    ),
    Budget("W4 over Redis, idle WebSocket", _w4(_REDIS), 16, "KiB"),
    Budget(
        "W4 over Redis, idle WebSocket, to uvicorn + Channels 4",
        _w4(_REDIS),
        0.5,
        other=_w4(UVICORN_LAYER.name),
    ),
    Budget("W4 over Redis, waiting poll", _w4(_REDIS, w4_memory.POLLS), 8, "KiB"),
    Budget(
        "W5 over Redis: CPU per poll to uvicorn + Channels 4 over channels_redis",
        _w5(_REDIS),
        1 / 6,
        other=_w5(UVICORN_LAYER.name),
    ),
    Budget(
        "W5 over Redis, paced: CPU per poll to Pushpin with its backend",
        _w5_paced(_REDIS),
        1 / 10,
        other=_w5_paced(PUSHPIN.name),
    ),
    Budget(
        "W5 over Redis: polls answered",
        _w5(_REDIS, "answered"),
        w5_polls.POLLS,
        "polls",
        at_least=True,
    ),
    Budget(
        "W6 Redis, 64 in flight: messages/s to channels_redis",
        _w6(BUS_REDIS.name, "rate"),
        50,
        other=_w6(BUS_CHANNELS.name, "rate"),
        at_least=True,
    ),
    Budget(
        "W6 Redis, lone one-way p50",
        _w6(BUS_REDIS.name, "oneway", w6_bus.ALONE),
        250,
        "us",
    ),
    Budget(
        "W6 memory layer, 64 in flight: CPU per message",
        _w6(BUS_MEMORY.name, "cpu"),
        2,
        "us",
    ),
    Budget(
        "W7 one process: CPU to a bare Twisted echo",
        _w7(_ONE),
        2,
        other=_w7(BARE_UDP.name),
    ),
    Budget(
        "W7 over Redis: CPU to a bare Twisted echo",
        _w7(_REDIS),
        2,
        other=_w7(BARE_UDP.name),
    ),
    *(
        Budget(
            f"W8 {where}, {w8_slow.case(slow)}: rise of the others' p99",
            _w8(target, slow),
            20,
            "ms",
        )
        for where, target in (("over Redis", _REDIS), ("one process", _ONE))
        for slow in w8_slow.SLOW
    ),
)
