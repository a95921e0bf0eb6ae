"""The 40-line plugin: complete, small, and conforming."""

from pathlib import Path

from fairway.testing.plugin import PluginConformance
from tests.core.plugin import lines


class TestLines(PluginConformance):
    plugin = "tests.core.plugin.lines"
    wire = "hello\nwörld\n\nlast\n".encode()
    bad_wire = (b"x" * 65_537,)


def test_a_complete_plugin_fits_in_40_lines() -> None:
    text = Path(lines.__file__).read_text(encoding="utf-8")

    written = [line for line in text.splitlines() if line.strip()]

    assert len(written) <= 40
