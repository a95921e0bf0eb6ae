"""Turns results into Markdown, which is also what the console shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import NamedTuple

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
from benchmarks.budgets import BUDGETS
from benchmarks.measure import Figure, Results, spread
from benchmarks.targets import (
    BARE,
    BARE_UDP,
    BUS_CHANNELS,
    FAIRWAY_REDIS,
    GUNICORN,
    UVICORN_ALONE,
    UVICORN_LAYER,
)

__all__ = ["markdown"]


class Column(NamedTuple):
    """One metric of a table."""

    heading: str
    metric: str
    show: Callable[[float], str]


class Table(NamedTuple):
    """How a workload is shown."""

    title: str
    main: str
    """The metric of the spread and the ratio."""
    base: str
    """Who the ratio is to."""
    columns: Sequence[Column]


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def _precise(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _share(value: float) -> str:
    return f"{value:.0%}"


_CPU = Column("CPU us", "cpu", _plain)
_RATE = Column("per second", "rate", _plain)
_P50 = Column("p50 ms", "p50", _precise)
_P99 = Column("p99 ms", "p99", _precise)
_CLIENT = Column("load generator", "client", _share)
_OTHERS = Column("others", "others", _share)
_LOADED = (_CPU, _RATE, _P50, _P99, _CLIENT, _OTHERS)

_TABLES: Mapping[str, Table] = {
    w1_http.NAME: Table(
        "W1 HTTP hello through a Django view, 64 connections, per request",
        "cpu",
        GUNICORN.name,
        _LOADED,
    ),
    w2_echo.NAME: Table(
        "W2 WebSocket echo, 64 B, per message", "cpu", UVICORN_ALONE.name, _LOADED
    ),
    w3_broadcast.NAME: Table(
        "W3 broadcast of 64 B to a group, per broadcast",
        "last",
        BARE.name,
        (
            Column("last ms", "last", _plain),
            Column("worst ms", "worst", _plain),
            Column("CPU us", "cpu", _plain),
            _CLIENT,
            _OTHERS,
        ),
    ),
    w4_memory.NAME: Table(
        "W4 resident memory per idle peer, all processes",
        "kib",
        UVICORN_LAYER.name,
        (
            Column("KiB per peer", "kib", _plain),
            Column("MiB before", "before", _plain),
        ),
    ),
    w5_polls.NAME: Table(
        "W5 waiting polls released at once, CPU per poll",
        "cpu",
        UVICORN_LAYER.name,
        (
            Column("last ms", "last", _plain),
            Column("CPU us", "cpu", _plain),
            Column("answered", "answered", _plain),
            _CLIENT,
            _OTHERS,
        ),
    ),
    w6_bus.NAME: Table(
        "W6 the bus alone, 64 B, per message",
        "cpu",
        BUS_CHANNELS.name,
        (
            _CPU,
            _RATE,
            Column("there us", "there", _plain),
            Column("back us", "back", _plain),
            _OTHERS,
        ),
    ),
    w7_udp.NAME: Table(
        "W7 UDP echo, 64 B, per datagram", "cpu", BARE_UDP.name, _LOADED
    ),
    w8_slow.NAME: Table(
        "W8 WebSocket echo, 64 B, 32 connections beside slow consumers, per message",
        "p99",
        FAIRWAY_REDIS.name,
        (
            *_LOADED,
            Column("worst ms", "worst", _precise),
            Column("p99 rises by ms", "rise", _precise),
            Column("slow p50 ms", "slow", _precise),
        ),
    ),
}


def markdown(results: Results, conditions: Mapping[str, str]) -> str:
    """Return the whole report."""
    parts = [
        "## Conditions\n" + "\n".join(f"- {k}: {v}" for k, v in conditions.items())
    ]
    parts += [f"## Notes\n{_bullets(results.notes)}"] if results.notes else []
    for workload, table in _TABLES.items():
        parts += [
            f"## {table.title}: {case}\n{_table(results, workload, case, table)}"
            for case in results.cases(workload)
        ]
    parts.append(f"## Budgets\n{_budgets(results)}")
    return "\n\n".join(parts) + "\n"


def _table(results: Results, workload: str, case: str, table: Table) -> str:
    headings = [c.heading for c in table.columns]
    rows = [["what", *headings, "by role us", "rounds", "spread", "ratio"]]
    base = Figure(workload, case, table.base, table.main)
    for target in results.targets(workload, case):
        main = Figure(workload, case, target, table.main)
        ratio = results.ratio(main, base)
        cells = [
            _cell(results.median(main._replace(metric=column.metric)), column.show)
            for column in table.columns
        ]
        rows.append(
            [
                target,
                *cells,
                _roles(results, main),
                str(len(results.series(main))),
                _share(spread(results.series(main))),
                _cell(ratio, lambda value: f"{value:.3g}x"),
            ]
        )
    return _lines(rows)


def _roles(results: Results, main: Figure) -> str:
    """Show CPU by role, the way a message takes them last."""
    samples = list(results.samples[main.workload, main.case, main.target].values())
    roles = [metric[4:] for metric in samples[0] if metric.startswith("cpu.")]
    shown = (
        f"{role} {_plain(median(sample[f'cpu.{role}'] for sample in samples))}"
        for role in roles
    )
    return ", ".join(shown)


def _budgets(results: Results) -> str:
    rows = [["budget", "limit", "measured", "verdict"]]
    measured = {workload for workload, _case, _target in results.samples}
    for budget in BUDGETS:
        if budget.figure.workload not in measured:
            continue
        verdict = budget.judge(results)
        sign = ">=" if budget.at_least else "<="

        def show(value: float, unit: str = budget.unit) -> str:
            return f"{value:.3g} {unit}" if unit != "x" else f"{value:.3g}x"

        rows.append(
            [
                budget.text,
                f"{sign} {show(budget.limit)}",
                _cell(verdict.value, show),
                verdict.word,
            ]
        )
    return _lines(rows)


def _cell(value: float | None, show: Callable[[float], str]) -> str:
    return "-" if value is None else show(value)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _lines(rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cells)} |"

    def all_lines() -> Iterator[str]:
        yield line(rows[0])
        yield line("---" for _ in rows[0])
        yield from map(line, rows[1:])

    return "\n".join(all_lines())
