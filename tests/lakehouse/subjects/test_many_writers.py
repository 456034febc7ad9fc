"""Many write one log, and some die: it stays one chain, and nothing that was promised is lost."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakehouse.subjects.mend import anchor, mend
from tests.lakehouse.subjects.conftest import SUBJECT, Desk

ROOT = Path(__file__).parents[3]


def start(desk: Desk, user: str, rows: int, *more: str) -> subprocess.Popen[bytes]:
    folder = desk.lake.root.parent
    command = [sys.executable, "-m", "tests.lakehouse.subjects.appending", str(folder), user, str(rows), *more]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_eight_processes_leave_one_chain_with_every_row(desk: Desk) -> None:
    writers = [start(desk, f"user {n}", 20) for n in range(8)]
    said = [line for writer in writers for line in writer.communicate(timeout=120)[0].split() if line != b"0"]
    assert [writer.returncode for writer in writers] == [0] * 8
    assert sorted(map(int, said)) == list(range(1, 161))
    found = desk.verify()
    assert (found.error, found.warnings, found.count) == (None, (), 160)
    assert Counter(row["accessor"]["user"] for row in desk.rows()) == {f"user {n}": 20 for n in range(8)}


def test_threads_leave_one_chain_with_every_row(desk: Desk) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda n: desk.append(5, user=f"user {n}"), range(8)))
    assert len(set(numbers)) == 8
    found = desk.verify()
    assert (found.error, found.warnings, found.count) == (None, (), 40)


def test_verifying_while_others_append_finds_nothing_wrong(desk: Desk) -> None:
    writer = start(desk, "ann", 60)
    seen = []
    while writer.poll() is None:
        found = desk.verify()
        assert (found.error, found.warnings) == (None, ())
        seen.append(found.count)
    assert writer.stdout is not None
    writer.stdout.close()
    assert (writer.returncode, desk.verify().count) == (0, 60)
    assert seen == sorted(seen)


@pytest.mark.slow
@pytest.mark.e2e
def test_a_kill_at_any_moment_leaves_a_chain_that_goes_on(desk: Desk) -> None:
    chance = random.Random(11)
    outcomes: Counter[str] = Counter()
    for turn in range(36):
        child = start(desk, f"turn {turn}", 0, *(["slow"] if turn % 2 else []))
        assert child.stdout is not None
        assert child.stdout.readline() == b"0\n"
        time.sleep(chance.uniform(0.002, 0.08))
        child.kill()
        child.wait()
        said = [int(line) for line in child.stdout.read().split(b"\n")[:-1]]
        child.stdout.close()
        found = desk.verify()
        assert found.count >= max(said, default=0), "a row whose number was given out is there"
        before = desk.log().read_bytes()
        if found.error is not None:
            assert (found.error.kind, found.error.line) == ("torn_last_line", found.count + 1)
            outcomes["torn"] += 1
            done, moved = mend(desk.subjects, SUBJECT)
            kept = moved.read_bytes() if moved else b""
            assert desk.log().read_bytes() + kept == before + (b"\n" if done == "completed" else b"")
        elif found.warnings:
            assert [one.kind for one in found.warnings] == ["unanchored_tail"]
            outcomes["unanchored"] += 1
            if turn % 4:
                anchor(desk.subjects, SUBJECT)
        else:
            outcomes["whole"] += 1
        assert desk.append() > found.count
        after = desk.verify()
        assert (after.error, after.warnings) == (None, ())
    assert outcomes["torn"] > 2
    assert outcomes["torn"] < 36
