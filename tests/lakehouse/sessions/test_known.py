"""Accepted fills are held against the rosters of today: a line may say that it is grounded and lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.gates import session_roster
from lakehouse.gates.session_roster import accepted_fills_known, known_ids
from lakehouse.gates.sessions import input_of
from lakehouse.lake import Lake
from lakehouse.records import SessionRecord, Verdict
from lakehouse.validators.roster import workers_of
from tests.lakehouse.sessions.conftest import Book, session

NOW = "2026-05-10T12:00:00.000Z"
ROSTER = "id,name,role,city,state,available\nw-1,Ann Ortiz,Welder,Flint,MI,yes\nw-2,Bo Li,Welder,Flint,MI,yes\n"


@pytest.fixture
def book(book: Book) -> Book:
    (book.lake.raw / "workers.csv").write_text(ROSTER)
    return book


def fill(*ids: Any, **changes: Any) -> SessionRecord:
    return session(artifact={"fills": [{"worker_id": one} for one in ids]}, **changes)


def look(book: Book) -> Verdict:
    return accepted_fills_known(book.lake, NOW)


def test_a_fill_that_says_it_is_grounded_and_names_nobody_of_the_roster_is_a_warning_with_its_place(book: Book) -> None:
    book.write(fill("w-1"), fill("w-2", "w-9001", "w-9001", session_id="liar", daemon="gateway"))
    found = look(book)
    assert (found.passed, found.severity, found.rows_checked) == (False, "WARN", 2)
    (one,) = found.offenders
    assert (one["file"], one["line"]) == ("_kb/sessions.jsonl", 2)
    assert one["why"] == "session liar of gateway: w-9001 left the roster since, or never was in it"
    assert found.summary == (
        "1 of 2 accepted fills that say they are grounded name workers whom the roster of today does not hold"
    )


def test_fills_of_workers_of_any_roster_of_the_lake_pass(book: Book) -> None:
    (book.lake.raw / "ethereal_workers.csv").write_text("id,name,role,city,state\ne-7,Di Ro,Cook,Flint,MI\n")
    fresh = {"id": "f-1", "role": "Cook", "recorded_at": NOW}
    (book.lake.raw / "fresh_workers.jsonl").write_text(json.dumps(fresh) + "\n")
    assert {"w-1", "e-7", "f-1"} <= {one for one in ("w-1", "e-7", "f-1") if one in workers_of(book.lake)}
    book.write(fill("w-1", "w-2"), fill("e-7", "f-1"))
    found = look(book)
    assert (found.passed, found.rows_checked, found.offenders) == (True, 2, [])


def test_who_leaves_the_roster_is_told(book: Book) -> None:
    book.write(fill("w-2"))
    assert look(book).passed
    (book.lake.raw / "workers.csv").write_text(ROSTER.replace("w-2", "w-3"))
    assert [one["line"] for one in look(book).offenders] == [1]


@pytest.mark.parametrize(
    "artifact",
    [
        {},
        {"fills": []},
        {"fills": "w-1"},
        {"fills": ["w-1"]},
        {"fills": [{"worker_id": "w-1"}, {}]},
        {"fills": [{"worker_id": 1}]},
        "w-1",
        ["w-1"],
    ],
)
def test_a_fill_that_says_it_is_grounded_and_names_no_worker_is_a_warning(book: Book, artifact: Any) -> None:
    book.write(session(artifact=artifact))
    (one,) = look(book).offenders
    assert "an entry of its fills names no worker, or it has none" in one["why"]


@pytest.mark.parametrize(
    "line",
    [
        session("validation_failed"),
        session(kind="sms", artifact={"worker_id": "w-9"}),
        fill("w-9", grounded_in_roster=False),
        b"no json",
    ],
)
def test_the_roster_is_read_only_where_a_fill_says_that_it_is_grounded(
    book: Book, line: SessionRecord | bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not say so is red already."""
    monkeypatch.setattr(session_roster, "known_ids", pytest.fail)
    book.write(line)
    found = look(book)
    assert (found.passed, found.rows_checked, found.offenders) == (True, 0, [])
    assert "nothing to look at" in found.summary


def test_without_a_roster_it_says_that_nobody_could_be_looked_up(book: Book) -> None:
    (book.lake.raw / "workers.csv").unlink()
    book.write(session(kind="sms"), fill("w-1"), fill("w-2"))
    found = look(book)
    assert (found.passed, found.severity, [one["line"] for one in found.offenders]) == (False, "WARN", [2])
    assert found.summary == "there is no roster: 2 accepted fills could not be looked up"


def test_a_roster_that_cannot_be_read_is_a_warning_that_names_it(book: Book) -> None:
    (book.lake.raw / "workers.csv").unlink()
    (book.lake.raw / "workers.parquet").write_bytes(b"no parquet")
    book.write(fill("w-1"))
    found = look(book)
    assert (found.passed, found.severity) == (False, "WARN")
    assert found.offenders[0]["file"] == "_kb/workers.parquet"
    assert "the roster cannot be read" in found.summary


def test_rows_of_the_roster_that_cannot_be_used_are_counted(book: Book) -> None:
    (book.lake.raw / "workers.csv").write_text(ROSTER + "x-1,No Id,Welder,Flint,MI,yes\n")
    book.write(fill("w-1"))
    assert look(book).summary.endswith("; 1 rows of _kb/workers.csv cannot be used")


def test_of_very_many_offenders_and_ids_the_first_are_named_and_all_are_counted(book: Book) -> None:
    book.write(*[fill(*(f"w-9{n}" for n in range(9)))] * 150)
    found = look(book)
    assert (len(found.offenders), found.rows_checked) == (100, 150)
    assert found.summary.startswith("150 of 150")
    assert "w-94 and 4 more left the roster" in found.offenders[0]["why"]


def test_what_was_looked_at_is_the_log_and_the_rosters(book: Book) -> None:
    book.write(fill("w-1"))
    name = "accepted_fills_known"
    seen = {look(book).input_sha256, input_of(book.lake, name)}
    assert len(seen) == 1
    (book.lake.raw / "workers.csv").write_text(ROSTER.replace("w-2", "w-3"))
    assert input_of(book.lake, name) not in seen
    assert input_of(book.lake, name) == look(book).input_sha256


ID = st.sampled_from(["w-1", "w-2", "w-3", "e-1", "e-2", "f-1", "f-2", "W-1", " w-1", "x"])


@given(ids=st.sets(ID), workers=st.lists(ID), ethereal=st.lists(ID), fresh=st.lists(ID))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_id_is_known_where_the_validators_know_it(
    tmp_path: Path, ids: set[str], workers: list[str], ethereal: list[str], fresh: list[str]
) -> None:
    lake = Lake(tmp_path)
    lake.raw.mkdir(exist_ok=True)
    for name, rows in (("workers", workers), ("ethereal_workers", ethereal)):
        text = "".join(f"{one},Ann,Welder,Flint,MI\n" for one in rows)
        (lake.raw / f"{name}.csv").write_text("id,name,role,city,state\n" + text)
    lines = ({"id": one, "role": "Cook", "recorded_at": NOW} for one in fresh)
    (lake.raw / "fresh_workers.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    roster = workers_of(lake)
    assert known_ids(lake, ids, lambda _: None) == {one for one in ids if one in roster}
