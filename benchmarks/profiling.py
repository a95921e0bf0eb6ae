"""Shows where the time goes in fairway's processes, by sampling them under load.

    python -m benchmarks.profiling W1
    python -m benchmarks.profiling W2 --one-process --native

It needs py-spy, which is in the extra `bench`, and the right to trace own processes.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvloop

from benchmarks import w1_http, w2_echo, w7_udp
from benchmarks.measure import Plan, Sample
from benchmarks.server import Server
from benchmarks.targets import FAIRWAY_ONE, FAIRWAY_REDIS

_RATE = 400
"""Samples a second."""
_LINE = re.compile(r":\d+\)$")
_SOCKETS = 32


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.profiling", description=__doc__)
    parser.add_argument("workload", choices=["W1", "W2", "W7"])
    parser.add_argument("--one-process", action="store_true")
    parser.add_argument("--middleware", choices=["none", "default"], default="none")
    parser.add_argument("--native", action="store_true", help="tell C functions apart")
    parser.add_argument(
        "--gil",
        action="store_true",
        help="only threads that hold the GIL: what a process of many threads computes",
    )
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--top", type=int, default=25)
    return parser.parse_args(given)


async def _load(workload: str, server: Server, seconds: int) -> Sample:
    plan = Plan(1, seconds)
    if workload == "W1":
        return await w1_http.measure(server, plan=plan)
    if workload == "W7":
        return await w7_udp.measure(server, plan=plan)
    return await w2_echo.measure(server, plan=plan, connections=_SOCKETS)


@contextmanager
def _sampling(
    pid: int, into: Path, *, seconds: int, options: Sequence[str]
) -> Iterator[None]:
    program = Path(sys.executable).with_name("py-spy")
    command = [str(program), "record", "--format", "raw", "--rate", str(_RATE)]
    command += ["--duration", str(seconds), "--pid", str(pid), "--output", str(into)]
    sampler = subprocess.Popen(
        [*command, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
        sampler.wait(60)
    finally:
        if sampler.poll() is None:
            sampler.kill()
            sampler.wait()


def shares(stacks: str) -> tuple[Counter[str], Counter[str]]:
    """Count collapsed stacks: samples by innermost function, and by any on the stack.

    Args:
        stacks: lines of frames, outermost first, joined by `;`, a space and a count.
    """
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_LINE.sub(")", frame) for frame in stack.split(";")]
        own[frames[-1]] += int(count)
        for frame in set(frames):
            within[frame] += int(count)
    return own, within


def _table(own: Counter[str], within: Counter[str], top: int) -> str:
    total = sum(own.values()) or 1
    lines = ["| self | within | function |", "| --- | --- | --- |"]
    lines += [
        f"| {count / total:.1%} | {within[name] / total:.1%} | `{name}` |"
        for name, count in own.most_common(top)
    ]
    return "\n".join(lines)


def main(given: Sequence[str] | None = None) -> None:
    """Load fairway, sample its processes, print their top functions."""
    arguments = _arguments(given)
    target = FAIRWAY_ONE if arguments.one_process else FAIRWAY_REDIS
    environment = {"BENCH_MIDDLEWARE": arguments.middleware}
    options = [f"--{name}" for name in ("native", "gil") if getattr(arguments, name)]
    with (
        Server(target, environment) as server,
        tempfile.TemporaryDirectory() as name,
    ):
        folder = Path(name)
        roles = [role for role in server.pids if role != "redis"]
        with ExitStack() as stack:
            for role in roles:
                sampling = _sampling(
                    server.pids[role],
                    folder / role,
                    seconds=arguments.seconds,
                    options=options,
                )
                stack.enter_context(sampling)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                load = _load(arguments.workload, server, arguments.seconds)
                sample = runner.run(load)
        for role in roles:
            cpu = sample[f"cpu.{role}"]
            own, within = shares((folder / role).read_text())
            print(
                f"## {arguments.workload}, {role}: {cpu:.0f} us a message while "
                f"sampled, {sample[f'system.{role}']:.0f} of them in the kernel, "
                f"{sample[f'waits.{role}']:.2f} waits\n"
            )
            print(_table(own, within, arguments.top), end="\n\n")


if __name__ == "__main__":
    main()
