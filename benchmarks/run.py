"""What `make bench` runs: the package, from a plain path."""

import sys
from pathlib import Path
from runpy import run_module

sys.path[0] = str(Path(__file__).resolve().parents[1])
run_module("benchmarks", run_name="__main__", alter_sys=True)
