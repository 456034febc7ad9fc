"""Whatever lies in place of a file, the look ends, names it, and judges the other subjects as if it were not there."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse.errors import LakehouseError
from lakehouse.gates.subjects import CHECK, chains_verify
from lakehouse.gates.verdicts import read_verdicts, record
from lakehouse.records import Verdict
from lakehouse.subjects.memory import memory_path
from lakehouse.subjects.reading import CannotRead, lock, open_regular, read_regular
from tests.lakehouse.subjects.conftest import NOW, SUBJECT, Desk

OTHER = "WORKER-2"


def _socket(path: Path) -> None:
    there = os.getcwd()
    os.chdir(path.parent)  # the path of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(there)


ODD: dict[str, Callable[[Path], object]] = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a loop of links": lambda path: path.symlink_to(path.name),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a socket": _socket,
}
PLACES: dict[str, Callable[[Desk], Path]] = {
    "log": lambda desk: desk.log(),
    "manifest": lambda desk: desk.subjects.manifest_path(SUBJECT),
    "anchor": lambda desk: desk.anchors / SUBJECT / "anchor.json",
    "key": lambda desk: desk.keys / "k2.key",
    "folder": lambda desk: desk.log().parent,
}


def look(desk: Desk) -> Verdict:
    return record(desk.lake, "subject_audit", None, chains_verify(desk.lake, NOW, desk.keys, desk.anchors))


@pytest.fixture
def two(desk: Desk) -> Desk:
    """WORKER-1 under k2, and WORKER-2 under k1 with an edited row; a look before the edit was green."""
    desk.rotate("k2")
    desk.append(2)
    desk.create(OTHER)
    desk.append(3, OTHER)
    assert look(desk).passed
    path = desk.log(OTHER)
    path.write_bytes(b"bob".join(path.read_bytes().rsplit(b"ann", 1)))
    desk.wait = 0.0
    return desk


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("what", ODD)
def test_an_odd_file_is_told_and_hides_no_other_log(two: Desk, place: str, what: str) -> None:
    path = PLACES[place](two)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    ODD[what](path)
    if (place, what) == ("folder", "a folder"):
        expected = "log_missing"
    else:
        expected = "cannot_read"
    found = look(two)
    assert (found.passed, found.severity) == (False, "ERROR")
    assert [(one["file"].split("/")[1], one["line"], one["kind"]) for one in found.offenders] == [
        (SUBJECT, 1 if expected == "log_missing" else 0, expected),
        (OTHER, 3, "edited"),
    ]
    if expected == "cannot_read":
        assert str(path) in found.offenders[0]["why"]
    assert read_verdicts(two.lake, "subject_audit")[CHECK] == found
    with pytest.raises(LakehouseError):
        two.append()


@pytest.mark.parametrize("place", PLACES)
def test_a_file_without_rights_is_told(two: Desk, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may be allowed everything, so the answer of the system is stood in for."""
    path = PLACES[place](two)
    real = os.open

    def refuse(name: object, *more: int, **named: int) -> int:
        if str(name).startswith(str(path)):
            raise PermissionError(13, os.strerror(13), str(name))
        return real(name, *more, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        found = chains_verify(two.lake, NOW, two.keys, two.anchors)
    assert [one["kind"] for one in found.offenders] == ["cannot_read", "edited"]
    assert "Permission denied" in found.offenders[0]["why"]


def test_a_lock_that_somebody_keeps_is_told_to_readers_and_writers(two: Desk) -> None:
    with two.log().open("rb") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX)
        found = two.verify()
        assert found.error is not None
        assert found.error.kind == "cannot_read"
        assert "somebody holds the lock" in found.error.why
        with pytest.raises(CannotRead, match="somebody holds the lock") as refused:
            two.append()
        assert refused.value.exit_code == 3
        before = two.log().read_bytes()
    two.wait = 10.0
    assert two.log().read_bytes() == before
    assert two.append() == 4
    assert two.verify().verified


def test_a_lock_that_was_given_up_on_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"")
    first, second, third = (open_regular(path, os.O_RDWR) for _ in range(3))
    lock(first, path, fcntl.LOCK_EX, 0)
    with pytest.raises(CannotRead):
        lock(second, path, fcntl.LOCK_EX, 0.01)
    os.close(second)
    os.close(first)
    lock(third, path, fcntl.LOCK_EX, 10)
    os.close(third)


def test_a_reader_waits_for_a_writer_that_ends(two: Desk) -> None:
    two.wait = 10.0
    waiting = open_regular(two.log(), os.O_RDWR)
    with two.log().open("rb") as mine:
        fcntl.flock(mine, fcntl.LOCK_SH)
        lock(waiting, two.log(), fcntl.LOCK_SH, 0)
    lock(waiting, two.log(), fcntl.LOCK_EX, 0)
    os.close(waiting)
    assert two.verify().verified


@pytest.mark.parametrize("what", ODD)
def test_an_odd_file_in_place_of_the_memory_is_told(two: Desk, what: str) -> None:
    memory_path(two.lake).unlink()
    ODD[what](memory_path(two.lake))
    found = look(two)
    assert [(one["file"], one["kind"]) for one in found.offenders] == [
        ("gates/.subjects.json", "cannot_read"),
        (f"subjects/{OTHER}/audit.jsonl", "edited"),
    ]


def test_small_files_are_read_to_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(1 << 32)
    assert len(read_regular(path)) < 1 << 21


@pytest.mark.parametrize("what", ["keys", "anchors"])
def test_keys_or_anchors_that_came_to_lie_in_the_lake_are_red(two: Desk, what: str) -> None:
    folder = two.keys if what == "keys" else two.anchors
    folder.rename(two.lake.root / "moved")
    folder.symlink_to(two.lake.root / "moved")
    found = look(two)
    assert [(one["file"], one["kind"]) for one in found.offenders] == [("subjects", "cannot_read")]
    assert "outside of the lake" in found.offenders[0]["why"]
    assert read_verdicts(two.lake, "subject_audit")[CHECK] == found
