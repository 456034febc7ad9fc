"""The roster that validators look up: from a lake and from rows, exact by id, private in every other use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakehouse.corpora.sources import fresh_item
from lakehouse.corpora.sources import roster as roster_source
from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.records import FreshWorker, QuarantinedRow
from lakehouse.roster.generate import write_roster
from lakehouse.roster.schema import PRIVATE
from lakehouse.validators.contacts import email_key
from lakehouse.validators.roster import Worker, Workers, of_rows, workers_of

HEAD = "id,name,role,city,state,available,blacklisted,email,phone\n"
NOW = "2026-05-10T02:00:00.000Z"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    (tmp_path / "_kb").mkdir()
    return Lake(tmp_path)


def fresh(lake: Lake, *rows: dict[str, Any]) -> None:
    with (lake.raw / "fresh_workers.jsonl").open("a") as log:
        log.writelines(json.dumps({"recorded_at": NOW, **row}) + "\n" for row in rows)


def test_rosters_and_fresh_workers_are_known_with_what_validators_ask(lake: Lake) -> None:
    (lake.raw / "workers.csv").write_text(HEAD + "w-1,Ann Lee,Welder,Flint,MI,no,yes, a@x.example ,810-555-0150\n")
    (lake.raw / "ethereal_workers.csv").write_text("id,name,role\ne-1,Bo,Picker\n")
    fresh(
        lake,
        {"id": "f-1", "role": "Cook", "email": " f@x.example"},
        {"id": "f-1", "role": "Baker", "blacklisted": True},
    )
    roster = workers_of(lake)
    assert len(roster) == 3
    assert roster.get("w-1") == Worker(
        "w-1", "Ann Lee", "Welder", "Flint", "MI", False, True, "a@x.example", "810-555-0150"
    )
    assert roster.get("e-1") == Worker("e-1", "Bo", "Picker")
    assert roster.get("f-1") == Worker("f-1", role="Baker", blacklisted=True)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_made_roster_is_known_whole(lake: Lake, suffix: str) -> None:
    write_roster(lake.raw / f"workers{suffix}", 7, 9_000)
    roster = workers_of(lake)
    assert len(roster) == 9_000
    worker = roster.get("w-9000")
    assert worker is not None
    assert roster.with_email(email_key(worker.email.upper())) == ("w-9000",)
    assert any("w-9000" in ids for ids in roster.phones.found_in(f"call +1 {worker.phone}"))


def test_a_lake_without_a_roster_knows_nobody(lake: Lake) -> None:
    roster = workers_of(lake)
    assert (len(roster), roster.get("w-1"), "w-1" in roster) == (0, None, False)


def test_refused_rows_are_told_and_unknown(lake: Lake) -> None:
    (lake.raw / "workers.csv").write_text(
        HEAD + "w-1,Ann,Welder,,,maybe,,,\nx-2,Bo,Welder,,,,,,\nw-3,Cy,Welder,,,,,,\n"
    )
    fresh(lake, {"id": "f 1", "role": "Cook"})
    refused: list[QuarantinedRow] = []
    roster = workers_of(lake, refused.append)
    assert [one in roster for one in ("w-1", "x-2", "w-3", "f 1")] == [False, False, True, False]
    assert [(one.source_file, one.reason_code) for one in refused] == [
        ("_kb/workers.csv", "wrong_type"),
        ("_kb/workers.csv", "wrong_prefix"),
        ("_kb/fresh_workers.jsonl", "bad_row"),
    ]


def test_where_a_fresh_worker_has_a_rosters_id_the_row_stays_and_a_no_of_either_counts(lake: Lake) -> None:
    (lake.raw / "workers.csv").write_text(
        HEAD
        + "".join(
            f"w-{number},Ann,Welder,Flint,MI,{yes},{barred},,\n"
            for number, yes, barred in ((1, "yes", "no"), (2, "no", "yes"))
        )
    )
    fresh(
        lake,
        {"id": "w-1", "role": "Cook", "available": False, "blacklisted": True},
        {"id": "w-2", "role": "Cook", "available": True, "blacklisted": False},
    )
    roster = workers_of(lake)
    for worker_id in ("w-1", "w-2"):
        assert roster.get(worker_id) == Worker(worker_id, "Ann", "Welder", "Flint", "MI", False, True)


def test_rows_of_a_caller_may_hold_more_and_null() -> None:
    roster = of_rows([{"id": "w-1", "skills": ["x"], "email": None, "available": None}])
    assert roster.get("w-1") == Worker("w-1")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"name": "Ann"}], "row 0 of the roster: this is no worker"),
        ([{"id": "w-1"}, {"id": 2}], "row 1 of the roster: this is no worker"),
        ([{"id": "w-1", "available": "yes"}], "row 0 of the roster: this is no worker"),
        ([{"id": ""}], "row 0 of the roster: the id is no id"),
        ([{"id": "w-1\nw-2"}], "row 0 of the roster: the id is no id"),
        ([{"id": "w-1"}, {"id": "w-1"}], "row 1 of the roster: the id is that of an earlier row"),
        ([{"id": "w-1"}, {"id": "w-1", "name": "Bo"}], "row 1 of the roster: the id is that of an earlier row"),
        (["w-1"], "row 0 of the roster: this is no worker"),
    ],
)
def test_rows_that_are_no_workers_are_refused(rows: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        of_rows(rows)


def test_a_view_excludes_more_and_leaves_the_roster_as_it_is() -> None:
    roster = of_rows([{"id": "w-1"}, {"id": "w-2"}])
    view = roster.excluding(["w-1"]).excluding(["w-2"])
    assert [view.is_excluded(one) for one in ("w-1", "w-2", "w-3")] == [True, True, False]
    assert not roster.is_excluded("w-1")
    assert view.get("w-1") == roster.get("w-1")
    assert isinstance(view, Workers)


@pytest.mark.parametrize("ids", ["w-1", b"w-1", None, 7, {"w-1": True}, [1], ["w-1", None], [["w-1"]]])
def test_what_is_no_list_of_ids_excludes_nobody_silently(ids: Any) -> None:
    with pytest.raises(UsageError, match="the ids to exclude are no list of texts"):
        of_rows([{"id": "w-1"}]).excluding(ids)


def test_a_set_and_a_generator_are_ids_too() -> None:
    roster = of_rows([{"id": "w-1"}])
    assert roster.excluding({"w-1"}).is_excluded("w-1")
    assert roster.excluding(one for one in ("w-1",)).is_excluded("w-1")


@pytest.mark.parametrize("rows", [{}, {"id": "w-1"}, "w-1", b"", None, 7])
def test_what_is_no_list_of_workers_is_refused(rows: Any) -> None:
    with pytest.raises(UsageError, match="this is no list of workers"):
        of_rows(rows)


def test_a_blank_text_of_a_row_is_not_known_and_white_space_around_one_is_none_of_it() -> None:
    names = ("name", "role", "city", "state", "email", "phone")
    assert of_rows([{"id": "w-1", **dict.fromkeys(names, " \u00a0\n")}]).get("w-1") == Worker("w-1")
    worker = of_rows([{"id": "w-1", **dict.fromkeys(names, " x ")}]).get("w-1")
    assert worker == Worker("w-1", **dict.fromkeys(names, "x"))


def test_nothing_private_reaches_a_corpus(lake: Lake) -> None:
    write_roster(lake.raw / "workers.parquet", 7, 50)
    contacts = {"email": "f@x.example", "phone": "810-555-0150", "blacklisted": True}
    items = [*roster_source(lake, "workers", pytest.fail)]
    items.append(fresh_item(FreshWorker(id="f-1", role="Cook", recorded_at=NOW, **contacts)))  # type: ignore[arg-type]
    for item in items:
        assert PRIVATE.isdisjoint(item.metadata)
        told = " ".join(item.texts) + item.metadata_json
        assert not any(part in told for part in ("@", "-555-01"))
