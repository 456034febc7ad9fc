"""The gate on the logs of subjects, and the sample's subjects."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from lakehouse.errors import UsageError
from lakehouse.gates.subjects import CHECK, SUBJECT_GATES, chains_verify, verify_all
from lakehouse.gates.verdicts import read_verdicts, record
from lakehouse.records import Verdict
from lakehouse.sample.subjects import SUBJECTS, write_sample_subjects
from tests.lakehouse.subjects.conftest import NOW, SUBJECT, Desk


def look(desk: Desk) -> Verdict:
    (gate,) = SUBJECT_GATES
    assert (gate.name, gate.blocks) == (CHECK, True)
    found = gate.look(desk.lake, NOW, desk.keys, desk.anchors)
    return record(desk.lake, "subject_audit", None, found)


@pytest.fixture
def three(desk: Desk) -> Desk:
    for subject in ("WORKER-2", "WORKER-3"):
        desk.create(subject)
    for subject in (SUBJECT, "WORKER-2", "WORKER-3"):
        desk.append(3, subject)
    return desk


def test_logs_that_hold_are_green_and_every_row_is_counted(three: Desk) -> None:
    found = look(three)
    assert (found.passed, found.severity, found.rows_checked, found.offenders) == (True, "ERROR", 9, [])
    assert found.tables is not None
    assert [row["subject"] for row in found.tables["subjects"]] == [SUBJECT, "WORKER-2", "WORKER-3"]
    assert read_verdicts(three.lake, "subject_audit")[CHECK] == found


def test_a_changed_row_is_red_by_file_line_and_kind(three: Desk) -> None:
    path = three.log("WORKER-2")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1].replace(b"ann", b"bob"), lines[2]]))
    found = look(three)
    assert (found.passed, found.severity, found.rows_checked) == (False, "ERROR", 7)
    (offender,) = found.offenders
    assert (offender["file"], offender["line"], offender["kind"]) == ("subjects/WORKER-2/audit.jsonl", 2, "edited")
    assert "WORKER-2 edited" in found.summary


def test_a_log_ahead_of_its_anchor_is_a_warning(three: Desk) -> None:
    kept = three.anchor().read_bytes()
    three.append()
    three.anchor().write_bytes(kept)
    found = look(three)
    assert (found.passed, found.severity, found.rows_checked) == (False, "WARN", 10)
    assert [(one["line"], one["kind"]) for one in found.offenders] == [(4, "unanchored_tail")]


def test_a_warning_does_not_hide_an_error(three: Desk) -> None:
    kept = three.anchor().read_bytes()
    three.append()
    three.anchor().write_bytes(kept)
    three.log("WORKER-3").write_bytes(b"")
    found = look(three)
    assert (found.passed, found.severity) == (False, "ERROR")
    assert [one["kind"] for one in found.offenders] == ["log_missing", "unanchored_tail"]


def test_a_missing_key_is_red_and_named(three: Desk) -> None:
    (three.keys / "k1.key").unlink()
    found = look(three)
    assert (found.passed, found.rows_checked) == (False, 0)
    assert {one["kind"] for one in found.offenders} == {"missing_key"}
    assert "'k1'" in found.summary


@pytest.mark.parametrize("what", ["subjects", "anchors"])
def test_a_folder_that_is_gone_is_red(three: Desk, what: str) -> None:
    shutil.rmtree(three.lake.subjects if what == "subjects" else three.anchors)
    found = look(three)
    assert not found.passed
    assert [one["kind"] for one in found.offenders] == ["log_missing" if what == "subjects" else "anchor_missing"] * 3


def test_a_folder_that_can_be_no_subject_is_named(three: Desk) -> None:
    (three.lake.subjects / "two words").mkdir()
    (offender,) = look(three).offenders
    assert (offender["file"], offender["kind"]) == ("subjects/two words", "bad_id")


def test_without_a_subject_no_row_is_checked_and_it_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    found = look(desk)
    assert (found.passed, found.rows_checked, found.tables) == (True, 0, None)
    assert "no subjects yet" in found.summary
    assert verify_all(desk.lake, desk.keys, desk.anchors) == []


def test_another_log_is_another_input(three: Desk) -> None:
    first = look(three)
    assert look(three).input_sha256 == first.input_sha256
    three.append()
    assert look(three).input_sha256 != first.input_sha256


def test_a_verdict_names_no_secret(three: Desk) -> None:
    (three.keys / "k1.key").write_bytes(b"hunter2")
    assert b"hunter2" not in msgspec.json.encode(look(three))


def test_the_sample_has_three_subjects_that_hold_and_is_written_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    chance = random.Random(5)

    def write() -> list[str]:
        return write_sample_subjects(
            desk.lake, desk.keys, desk.anchors, lambda: datetime(2026, 5, 10, 2, tzinfo=UTC), chance.randbytes
        )

    assert write() == list(SUBJECTS)
    found = chains_verify(desk.lake, NOW, desk.keys, desk.anchors)
    assert (found.passed, found.rows_checked) == (True, 16)
    assert {row["key_id"] for row in desk.rows("WORKER-3")} == {"sample-1", "sample-2"}
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert write() == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_sample_leaves_a_subject_that_is_there_alone(desk: Desk) -> None:
    desk.append()
    made = write_sample_subjects(
        desk.lake, desk.keys, desk.anchors, lambda: datetime(2026, 5, 10, 2, tzinfo=UTC), random.Random(5).randbytes
    )
    assert made == ["WORKER-2", "WORKER-3"]
    assert desk.verify().count == 1


def test_the_sample_does_not_take_the_anchors_of_another_lake(desk: Desk) -> None:
    desk.append()
    shutil.rmtree(desk.lake.subjects)
    with pytest.raises(UsageError, match="LAKEHOUSE_ANCHORS"):
        write_sample_subjects(
            desk.lake, desk.keys, desk.anchors, lambda: datetime(2026, 5, 10, 2, tzinfo=UTC), random.Random(5).randbytes
        )
    assert not desk.lake.subjects.exists()
