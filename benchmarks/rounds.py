"""Interleaves targets: all are up, each round measures each of them once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
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
    numbers: Iterable[int],
    *,
    place: tuple[str, str],
    results: Results,
) -> None:
    """Measure each server once a round; the order moves on with each round.

    What goes wrong is noted, and the other targets go on.

    Args:
        numbers: of the rounds.
        place: workload and case.
    """
    for number in numbers:
        first = number % max(1, len(servers))
        for server in [*servers[first:], *servers[:first]]:
            name = server.target.name
            try:
                sample = await measure(server)
            except (OSError, RuntimeError, TimeoutError) as error:
                what = f"{type(error).__name__} {error}"
                case = ", ".join(place)
                results.note(f"{case}, {name}, round {number + 1} lost: {what}")
            else:
                results.add((*place, name), number, sample)
