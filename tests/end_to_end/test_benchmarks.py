"""The benchmarks work; what they measure is no business of a test."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import w8_slow
from benchmarks.budgets import Budget
from benchmarks.frames import TEXT, masked, read_frame, text_frame
from benchmarks.load_http import answer_size
from benchmarks.measure import Figure, Results
from benchmarks.profiling import shares
from benchmarks.server import Target

ROOT = Path(__file__).parents[2]
OURS = Figure("W0", "case", "ours", "cpu")
THEIRS = OURS._replace(target="theirs")


def results(ours: list[float], theirs: list[float]) -> Results:
    found = Results()
    for figure, values in ((OURS, ours), (THEIRS, theirs)):
        for number, value in enumerate(values):
            place = (figure.workload, figure.case, figure.target)
            found.add(place, number, {figure.metric: value})
    return found


def quick_run(workload: str, report: Path) -> str:
    command = [sys.executable, "benchmarks/run.py", "--quick", "--no-peers"]
    subprocess.run(
        [*command, "--only", workload, "--out", str(report)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return report.read_text()


@pytest.mark.standard
@pytest.mark.timeout(120)
def test_quick_run_measures_fairway_and_judges_its_budgets(tmp_path: Path) -> None:
    text = quick_run("W2", tmp_path / "report.md")

    assert "## W2 WebSocket echo, 64 B, per message: 32 connections" in text
    assert "| fairway over Redis |" in text
    assert "| fairway, one process |" in text
    assert "| W2 over Redis, lone round trip p50 | <= 0.5 ms |" in text
    assert "## Notes" not in text


@pytest.mark.standard
@pytest.mark.timeout(120)
def test_quick_run_measures_echoes_beside_slow_consumers(tmp_path: Path) -> None:
    text = quick_run("W8", tmp_path / "report.md")

    for slow in ("0 slow consumers", "1 slow consumer", "7 slow consumers"):
        assert f"beside slow consumers, per message: {slow}\n" in text
    assert "| W8 over Redis, 7 slow consumers: rise of the others' p99 |" in text
    assert "| W8 one process, 7 slow consumers: rise of the others' p99 |" in text
    assert "not measured" not in text
    assert "## Notes" not in text


def test_target_names_the_modules_and_programs_that_it_lacks() -> None:
    target = Target(
        "a peer",
        {},
        needs=("json", "no_such_module"),
        programs=(sys.executable, "no-such-program"),
    )

    assert target.missing() == ["no_such_module", "no-such-program"]


def test_p99_rises_over_that_of_the_same_round() -> None:
    found = Results()
    for slow, values in ((0, {0: 1.0, 1: 5.0}), (7, {0: 4.0, 1: 6.0, 2: 9.0})):
        for number, p99 in values.items():
            place = (w8_slow.NAME, w8_slow.case(slow), "ours")
            found.add(place, number, {"p99": p99})

    w8_slow.compare(found)

    rise = Figure(w8_slow.NAME, w8_slow.case(7), "ours", "rise")
    assert found.series(rise) == [3, 1]


def test_ratio_compares_figures_of_the_same_round() -> None:
    found = results([1, 2, 30], [2, 4, 60])

    assert found.ratio(OURS, THEIRS) == 0.5


def test_ratio_leaves_out_rounds_that_one_side_lost() -> None:
    found = results([1, 2, 30], [2])
    found.add((THEIRS.workload, THEIRS.case, THEIRS.target), 2, {THEIRS.metric: 60})

    assert found.ratio(OURS, THEIRS) == 0.5
    assert found.series(THEIRS) == [2, 60]


def test_budget_that_is_missed_says_by_which_factor() -> None:
    most = Budget("cost", OURS, 2)
    least = Budget("gain", OURS, 10, other=THEIRS, at_least=True)

    found = results([5], [1])

    assert most.judge(found).word == "**missed**, 2.50 times off"
    assert least.judge(found).word == "**missed**, 2.00 times off"


def test_budget_whose_figure_is_missing_is_neither_met_nor_missed() -> None:
    assert Budget("cost", OURS, 2).judge(Results()).word == "not measured"


def test_budget_is_met_at_its_limit() -> None:
    assert Budget("cost", OURS, 2).judge(results([2], [])).word == "met"


@pytest.mark.parametrize("size", [0, 64, 125, 126, 65_535, 65_536])
def test_frames_of_every_length_are_read_as_they_were_built(size: int) -> None:
    frame = text_frame(b"x" * size)

    assert read_frame(frame + b"rest") == (TEXT, b"x" * size, len(frame))
    assert read_frame(frame[:-1]) is None


def test_client_masks_its_frames() -> None:
    frame = masked(TEXT, b"text")

    assert frame[1] == 0x80 | 4
    assert frame[6:] == bytes(a ^ b for a, b in zip(b"text", frame[2:6], strict=True))


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\n\r\n",
    ],
)
def test_answer_is_complete_with_its_last_byte(answer: bytes) -> None:
    assert answer_size(answer) == len(answer)
    assert answer_size(answer[:-1]) is None


def test_answer_that_is_no_200_ends_the_measurement() -> None:
    with pytest.raises(RuntimeError, match="503"):
        answer_size(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")


def test_profile_counts_lines_of_a_function_together() -> None:
    stacks = "main (a.py:1);work (b.py:2) 3\nmain (a.py:9);work (b.py:7) 1\n"

    own, within = shares(stacks)

    assert own == {"work (b.py)": 4}
    assert within == {"work (b.py)": 4, "main (a.py)": 4}
