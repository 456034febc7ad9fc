"""A short loop of what `make soak` does at length: kill the chain and its writers, and look at what they leave."""

import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).resolve().parents[1] / "benchmarks" / "soak.py"


@pytest.mark.slow
def test_what_a_killed_run_or_writer_leaves_is_whole_and_the_next_run_is_right() -> None:
    done = subprocess.run(
        [sys.executable, str(SOAK), "--rounds", "5"], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "same bytes as undisturbed" in done.stdout
