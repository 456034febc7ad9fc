"""What a look saw is missed at the next one, until a person answers for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import LakehouseError, UsageError
from lakehouse.gates.subjects import chains_verify
from lakehouse.gates.verdicts import record
from lakehouse.records import Verdict
from lakehouse.subjects.anchors import write_anchor
from lakehouse.subjects.checks import verify_subject
from lakehouse.subjects.keys import Key
from lakehouse.subjects.memory import forget, forgotten, forgotten_path, memory_path
from tests.lakehouse.subjects.conftest import NOW, SUBJECT, Desk, counting
from tests.lakehouse.subjects.test_attacks import chained

OTHER = "WORKER-2"


def look(desk: Desk) -> Verdict:
    return record(desk.lake, "subject_audit", None, chains_verify(desk.lake, NOW, desk.keys, desk.anchors))


def told(desk: Desk) -> list[tuple[str, int, str]]:
    return [(one["file"], one["line"], one["kind"]) for one in look(desk).offenders]


@pytest.fixture
def two(desk: Desk) -> Desk:
    """Two subjects with four rows each, that a look saw."""
    desk.create(OTHER)
    desk.append(4)
    desk.append(4, OTHER)
    assert look(desk).passed
    return desk


def remove(desk: Desk, subject: str = SUBJECT) -> None:
    shutil.rmtree(desk.log(subject).parent)
    shutil.rmtree(desk.anchor(subject).parent)


def put_back(desk: Desk, rows: int) -> None:
    """An old state of log and anchor, as whoever may write into both can restore."""
    lines = desk.log().read_bytes().splitlines(keepends=True)
    desk.log().write_bytes(b"".join(lines[:rows]))
    tip = json.loads(lines[rows - 1])["hmac"] if rows else "0" * 64
    write_anchor(desk.anchor(), SUBJECT, rows, tip, Key("k1", counting(0)(32)))


def write_anew(desk: Desk) -> None:
    lines = chained(6, start=50)
    desk.log().write_bytes(b"".join(line + b"\n" for line in lines))
    write_anchor(desk.anchor(), SUBJECT, 6, json.loads(lines[-1])["hmac"], Key("k1", counting(0)(32)))


ATTACKS: dict[str, tuple[Any, tuple[str, int, str]]] = {
    "folder and anchor removed": (remove, (f"subjects/{SUBJECT}", 0, "subject_missing")),
    "an old log with its old anchor": (
        lambda desk: put_back(desk, 2),
        (f"subjects/{SUBJECT}/audit.jsonl", 3, "rolled_back"),
    ),
    "no rows, and an anchor that says so": (
        lambda desk: put_back(desk, 0),
        (f"subjects/{SUBJECT}/audit.jsonl", 1, "rolled_back"),
    ),
    "all rows written anew with the key, and more": (
        write_anew,
        (f"subjects/{SUBJECT}/audit.jsonl", 4, "rolled_back"),
    ),
    "removed and made anew": (
        lambda desk: (remove(desk), desk.create()),
        (f"subjects/{SUBJECT}/audit.jsonl", 1, "rolled_back"),
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_the_last_look_saw_is_missed_at_every_look(two: Desk, name: str) -> None:
    attack, expected = ATTACKS[name]
    attack(two)
    for _ in range(3):
        assert told(two) == [expected]
    found = verify_subject(two.subjects, SUBJECT)
    assert found.found.error is not None
    assert found.found.error.kind == expected[2]


@pytest.mark.parametrize("name", ATTACKS)
def test_a_person_who_answers_for_it_makes_it_green_again(two: Desk, name: str) -> None:
    ATTACKS[name][0](two)
    forget(two.lake, SUBJECT, "ann", "the disk failed, this is the backup of May", NOW)
    found = look(two)
    assert (found.passed, found.offenders) == (True, [])
    assert "1 forgotten on somebody's word" in found.summary
    (line,) = forgotten(two.lake)
    assert (line.subject_id, line.by, line.reason, line.at, line.rows) == (
        SUBJECT,
        "ann",
        "the disk failed, this is the backup of May",
        NOW,
        4,
    )
    remove(two, OTHER)
    assert told(two) == [(f"subjects/{OTHER}", 0, "subject_missing")]


def test_what_is_there_after_it_was_forgotten_is_seen_anew(two: Desk) -> None:
    put_back(two, 2)
    forget(two.lake, SUBJECT, "ann", "restored", NOW)
    assert told(two) == []
    put_back(two, 1)
    assert told(two) == [(f"subjects/{SUBJECT}/audit.jsonl", 2, "rolled_back")]


def test_a_forgetting_does_not_excuse_rows_that_were_seen_later(two: Desk) -> None:
    forget(two.lake, SUBJECT, "ann", "its time is over", NOW)
    two.append()
    assert told(two) == []
    remove(two)
    assert told(two) == [(f"subjects/{SUBJECT}", 0, "subject_missing")]


def test_a_log_that_does_not_hold_teaches_nothing(two: Desk) -> None:
    before = memory_path(two.lake).read_bytes()
    two.log().write_bytes(b"")
    look(two)
    assert memory_path(two.lake).read_bytes() == before


def test_a_look_that_sees_nothing_new_changes_no_byte(two: Desk) -> None:
    before = {path: path.stat().st_mtime_ns for path in two.lake.root.rglob("*") if path.is_file()}
    look(two)
    assert {path: path.stat().st_mtime_ns for path in two.lake.root.rglob("*") if path.is_file()} == before


def test_without_the_memory_only_its_protection_is_lost(two: Desk) -> None:
    shutil.rmtree(two.lake.root / "gates")
    assert told(two) == []
    shutil.rmtree(two.lake.root / "gates")
    remove(two)
    assert told(two) == []


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"schema_version":2,"subjects":{}}', b"\xff"])
def test_a_memory_that_was_damaged_is_red_and_not_written_over(two: Desk, data: bytes) -> None:
    memory_path(two.lake).write_bytes(data)
    assert told(two) == [("gates/.subjects.json", 0, "cannot_read")]
    assert memory_path(two.lake).read_bytes() == data
    found = verify_subject(two.subjects, SUBJECT).found
    assert found.error is not None
    assert found.error.kind == "cannot_read"


@pytest.mark.parametrize(
    ("subject", "by", "reason", "now"),
    [
        ("WORKER-9", "ann", "over", NOW),
        ("../x", "ann", "over", NOW),
        (SUBJECT, "", "over", NOW),
        (SUBJECT, "ann", " ", NOW),
        (SUBJECT, "ann", "a\nb", NOW),
        (SUBJECT, "ann", "over", "today"),
    ],
)
def test_a_forgetting_says_who_why_and_when_of_what_was_seen(
    two: Desk, subject: str, by: str, reason: str, now: str
) -> None:
    with pytest.raises(UsageError):
        forget(two.lake, subject, by, reason, now)
    assert not forgotten_path(two.lake).exists()


def test_nothing_is_forgotten_twice(two: Desk) -> None:
    forget(two.lake, SUBJECT, "ann", "over", NOW)
    with pytest.raises(UsageError, match="forgotten already"):
        forget(two.lake, SUBJECT, "ann", "over", NOW)


def test_a_line_that_is_no_forgetting_excuses_nothing(two: Desk) -> None:
    remove(two)
    forgotten_path(two.lake).write_bytes(b'{"subject_id":"WORKER-1"}\nno\n')
    assert told(two) == [(f"subjects/{SUBJECT}", 0, "subject_missing")]


def test_a_row_that_lost_its_newline_is_torn_and_not_rolled_back(two: Desk) -> None:
    two.log().write_bytes(two.log().read_bytes()[:-1])
    assert told(two) == [(f"subjects/{SUBJECT}/audit.jsonl", 4, "torn_last_line")]


def test_all_that_was_seen_is_missed_where_subjects_and_anchors_are_gone(two: Desk) -> None:
    shutil.rmtree(two.lake.subjects)
    shutil.rmtree(two.anchors)
    assert [kind for _, _, kind in told(two)] == ["subject_missing"] * 2


def test_a_memory_that_cannot_be_written_is_told(two: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise LakehouseError("no space left", where="disk")

    two.append()
    with monkeypatch.context() as patch:
        patch.setattr("lakehouse.subjects.memory.write_json", fail)
        found = chains_verify(two.lake, NOW, two.keys, two.anchors)
    assert [(one["file"], one["kind"]) for one in found.offenders] == [("gates/.subjects.json", "cannot_read")]


def test_the_memory_is_no_verdict(two: Desk) -> None:
    assert Path(memory_path(two.lake)).name.startswith("."), "the view on verdicts reads every other file"
