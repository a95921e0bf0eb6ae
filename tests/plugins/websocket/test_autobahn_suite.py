"""The Autobahn testsuite against the site `examples/echo`, with both frame engines.

It needs `wstest` on the path, or its place in FAIRWAY_WSTEST; the page
`docs/how-to/run-the-autobahn-testsuite.md` says how to get it. Without it these tests
are skipped, and `test_rfc` and its neighbours remain.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import free_port, run_manage

WSTEST = os.environ.get("FAIRWAY_WSTEST") or shutil.which("wstest")

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        WSTEST is None,
        reason="no wstest: see docs/how-to/run-the-autobahn-testsuite.md",
    ),
]

MESSAGE = 16 * 1024 * 1024
"""Bytes of the longest message that the suite sends."""
# An echo comes from a worker: a failure may overtake it, which is "non-strict".
PASSED = {"OK", "NON-STRICT", "INFORMATIONAL"}


def failures(report: dict[str, dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Return the cases that did not pass, with how they behaved and how they closed."""
    seen = {
        case: (result["behavior"], result["behaviorClose"])
        for case, result in report.items()
    }
    return {case: both for case, both in seen.items() if not PASSED.issuperset(both)}


DEFLATE = [f"12.{n}" for n in range(1, 6)] + [f"13.{n}" for n in range(1, 8)]
CASES = {
    "frames": ([f"{family}.*" for family in (1, 2, 3, 4, 5, 6, 7, 10)], 247),
    "sizes": (["9.*"], 54),
    # 1,000 messages each, of 16 to 4,096 bytes; longer ones take too long.
    "compression": ([f"{group}.{n}" for group in DEFLATE for n in range(1, 6)], 60),
}
"""Cases by what they are about, and how many these are."""


@pytest.mark.parametrize("about", CASES)
def test_no_case_of_the_suite_fails(
    engine_name: str, about: str, tmp_path: Path
) -> None:
    cases, count = CASES[about]
    port = free_port()
    specification = {
        "outdir": str(tmp_path / "reports"),
        "servers": [{"agent": "fairway", "url": f"ws://127.0.0.1:{port}/echo/"}],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (tmp_path / "spec.json").write_text(json.dumps(specification))
    environment = {
        "DJANGO_SETTINGS_MODULE": "echo.settings",
        "FAIRWAY_ENGINE": engine_name,
        "FAIRWAY_COMPRESSION": "1",
        "FAIRWAY_MAX_MESSAGE": str(MESSAGE),
    }
    serve = ("runserver", "--noreload", f"127.0.0.1:{port}")

    with run_manage("examples/echo", *serve, environment=environment) as site:
        site.wait_for_port(port)
        subprocess.run(
            [str(WSTEST), "-m", "fuzzingclient", "-s", str(tmp_path / "spec.json")],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            timeout=1700,
        )

    report = json.loads((tmp_path / "reports" / "index.json").read_text())["fairway"]
    assert len(report) == count
    assert failures(report) == {}
