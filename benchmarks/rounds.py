"""Interleaves targets: all are up, each round measures each of them once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from benchmarks.measure import Plan, Results, Sample
from benchmarks.server import Server, Target

__all__ = ["able", "interleave", "running"]


def able(targets: Sequence[Target], plan: Plan, results: Results) -> list[Target]:
    """Return the targets that are wanted and can run; notes the others."""
    chosen = []
    for target in targets:
        if target.peer and not plan.peers:
            continue
        if missing := target.missing():
            results.note(f"{target.name} left out: {', '.join(missing)} missing")
            continue
        chosen.append(target)
    return chosen


@contextmanager
def running(
    targets: Sequence[Target],
    results: Results,
    environment: Mapping[str, str] | None = None,
) -> Iterator[list[Server]]:
    """Run targets side by side while the block lasts; notes those that do not start."""
    servers = []
    with ExitStack() as stack:
        for target in targets:
            try:
                servers.append(stack.enter_context(Server(target, environment)))
            except (RuntimeError, TimeoutError) as error:
                results.note(f"{target.name}: {error}")
        yield servers


async def interleave(
    servers: Sequence[Server],
    measure: Callable[[Server], Awaitable[Sample]],
    rounds: int,
    *,
    keep: Callable[[str, Sample], None],
    note: Callable[[str], None],
) -> None:
    """Measure each server once a round; the order moves on with each round.

    Args:
        keep: gets the target's name and its sample.
        note: gets what went wrong; the other targets go on.
    """
    for number in range(rounds):
        first = number % max(1, len(servers))
        for server in [*servers[first:], *servers[:first]]:
            try:
                keep(server.target.name, await measure(server))
            except (OSError, RuntimeError, TimeoutError) as error:
                note(f"{server.target.name}: {error or type(error).__name__}")
