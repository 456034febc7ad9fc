"""Whether logs of subjects still end where their verdict says, told without a key."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from lakehouse.gates.subject_ends import moved
from lakehouse.gates.subjects import chains_verify
from lakehouse.records import Verdict
from lakehouse.subjects import log
from tests.lakehouse.subjects.conftest import ANN, NOW, SUBJECT, Desk


def look(desk: Desk) -> Verdict:
    return chains_verify(desk.lake, NOW, desk.keys, desk.anchors)


def test_logs_that_are_as_they_were_have_not_moved(desk: Desk) -> None:
    assert not moved(desk.lake, look(desk))
    desk.append(3)
    desk.create("WORKER-2")
    assert not moved(desk.lake, look(desk))


def test_a_lake_without_subjects_has_not_moved_until_there_is_one(desk: Desk) -> None:
    shutil.rmtree(desk.lake.subjects)
    shutil.rmtree(desk.anchors)
    found = look(desk)
    assert not moved(desk.lake, found)
    desk.create()
    assert moved(desk.lake, found)


@pytest.mark.parametrize(
    "change",
    [
        lambda desk: desk.append(),
        lambda desk: desk.create("WORKER-2"),
        lambda desk: shutil.rmtree(desk.lake.subjects / SUBJECT),
        lambda desk: desk.log().unlink(),
        lambda desk: desk.log().write_bytes(b""),
        lambda desk: desk.log().write_bytes(desk.log().read_bytes().splitlines(keepends=True)[0]),
        lambda desk: desk.log().write_bytes(b"no json\n"),
        lambda desk: desk.log().write_bytes(b'["\xff"]\n'),
        lambda desk: (desk.lake.subjects / SUBJECT / "manifest.json").write_bytes(b"{"),
    ],
)
def test_one_that_came_or_ends_otherwise_has_moved(desk: Desk, change: Any) -> None:
    desk.append(2)
    found = look(desk)
    change(desk)
    assert moved(desk.lake, found)


def test_a_torn_last_line_is_not_there_yet(desk: Desk) -> None:
    desk.append(2)
    found = look(desk)
    with desk.log().open("ab") as file:
        file.write(b'{"schema"')
    assert not moved(desk.lake, found)


def test_the_last_row_is_found_however_long_it_is(desk: Desk) -> None:
    log.append(desk.subjects, SUBJECT, ANN, [f"field_{n:05}" for n in range(20_000)], "success", NOW)
    assert desk.log().stat().st_size > 1 << 17
    found = look(desk)
    assert found.passed
    assert not moved(desk.lake, found)
    desk.append()
    assert moved(desk.lake, found)


def test_a_log_that_did_not_hold_is_left_aside(desk: Desk) -> None:
    desk.append(2)
    desk.log().write_bytes(b"no row\n")
    found = look(desk)
    assert not found.passed
    assert not moved(desk.lake, found)
