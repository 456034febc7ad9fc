"""Appending sessions: from many processes and threads, under a kill, and where nothing can be written."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakehouse.errors import OutsideFailure
from lakehouse.sessions import SessionLog, log, sessions
from tests.lakehouse.sessions.conftest import session

ROOT = Path(__file__).parents[3]


def writer(path: Path, name: str, most: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.lakehouse.sessions.killed", str(path), name, str(most)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})


def names(path: Path, torn: int = 0) -> list[str]:
    """The ids in a log, in which at most so many lines may be torn."""
    refused: list[object] = []
    found = [one.record.session_id for one in sessions(path, refused.append)]
    assert len(refused) <= torn
    return found


@pytest.mark.e2e
def test_eight_processes_lose_nothing_and_tear_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sessions.jsonl"
    writers = [writer(path, f"p{number}", 30) for number in range(8)]
    for one in writers:
        one.communicate(timeout=60)
    assert [one.returncode for one in writers] == [0] * 8
    assert sorted(names(path)) == sorted(f"p{process}-{number}" for process in range(8) for number in range(30))


def test_threads_share_one_log(tmp_path: Path) -> None:
    shared = SessionLog(tmp_path / "sessions.jsonl")
    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(lambda n: shared.append(session(session_id=f"s-{n}")), range(200)))
    assert Counter(done) == {True: 200}
    assert sorted(names(tmp_path / "sessions.jsonl")) == sorted(f"s-{number}" for number in range(200))


@pytest.mark.e2e
def test_a_kill_at_any_moment_leaves_whole_lines_and_the_next_append_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "sessions.jsonl"
    chance = random.Random(7)
    held = 0
    for turn in range(5):
        child = writer(path, f"t{turn}", 0)
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0.01, 0.15))
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
        assert SessionLog(path).append(session(session_id=f"after-{turn}"))
        found = names(path, torn=turn + 1)
        assert found[-1] == f"after-{turn}"
        assert len(found) > held
        held = len(found)


def test_a_torn_last_line_is_ended_and_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "sessions.jsonl"
    SessionLog(path).append(session(session_id="whole"))
    with path.open("ab") as file:
        file.write(b'{"schema":"session.iterate.v1","sess')
    assert names(path) == ["whole"], "it is not there yet"
    SessionLog(path).append(session(session_id="next"))
    refused: list[object] = []
    assert [one.record.session_id for one in sessions(path, refused.append)] == ["whole", "next"]
    assert len(refused) == 1


def blocked_by_a_folder(path: Path) -> None:
    path.mkdir()


def blocked_by_a_file_above(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("no folder")


@pytest.mark.parametrize("block", [blocked_by_a_folder, blocked_by_a_file_above])
def test_what_cannot_be_written_is_counted_and_said_once_each(
    tmp_path: Path, block: object, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "_kb" / "sessions.jsonl"
    path.parent.mkdir()
    assert callable(block)
    block(path)
    shut = SessionLog(path)
    with caplog.at_level(logging.WARNING):
        assert [shut.append(session()), shut.append(session())] == [False, False]
    assert shut.failed == 2
    assert [(record.levelname, str(path) in record.message) for record in caplog.records] == [("WARNING", True)] * 2


def test_a_full_disk_fails_no_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, lines: object) -> int:
        raise OutsideFailure("cannot write (No space left on device)", where=str(path))

    monkeypatch.setattr(log, "append", full)
    shut = SessionLog(tmp_path / "sessions.jsonl")
    assert (shut.append(session()), shut.failed) == (False, 1)


def test_a_record_that_cannot_be_encoded_fails_no_call(tmp_path: Path) -> None:
    shut = SessionLog(tmp_path / "sessions.jsonl")
    assert shut.append(session(artifact={"a": object()})) is False
    assert shut.append(session(prompt="x", model="\ud800")) is False
    assert shut.failed == 2


@pytest.mark.parametrize("path", [None, ""])
def test_without_a_path_it_is_off(path: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    off = SessionLog(path)
    assert (off.append(session()), off.failed, list(tmp_path.iterdir())) == (None, 0, [])
