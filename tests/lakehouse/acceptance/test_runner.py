"""Running the gate: on the fixture, on a copy of any lake, and what is written of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace as changed

from lakehouse.acceptance import runner
from lakehouse.acceptance.copies import Copies
from lakehouse.acceptance.fixture import NOW, code_and_fixture_hash, fixture_path, read_expected
from lakehouse.acceptance.registry import INVARIANTS
from lakehouse.acceptance.report import page, write_report
from lakehouse.acceptance.rows import Context
from lakehouse.acceptance.runner import AcceptanceReport, accept, accept_fixture, hold, workspace
from lakehouse.errors import UsageError
from lakehouse.gates import acceptance as gate
from lakehouse.lake import Lake
from lakehouse.sample import make_sample

if TYPE_CHECKING:
    from conftest import Spoiled

# Whole nights: their candidates are held against the contracts too.
pytestmark = pytest.mark.contracts
STAMP = "2026-05-10T02:00:00.000Z"
Tree = dict[str, bytes]


def tree(root: Path) -> Tree:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def sample() -> Iterator[tuple[Path, Tree, AcceptanceReport]]:
    """A sample lake, what it held before, and the report on it."""
    with workspace() as folder:
        make_sample(folder / "lake", seed=3, days=1, rows_per_day=30, last_day=date(2026, 5, 9))
        before = tree(folder / "lake")
        yield folder / "lake", before, accept(folder / "lake", folder / "work", STAMP)


@pytest.fixture(scope="module")
def found(copies: Copies) -> tuple[AcceptanceReport, list[str]]:
    """The report on the fixture lake, from the copies that were made once for all tests, and the steps told."""
    steps: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "make_copies", lambda *_: copies)
        return accept_fixture(STAMP, steps.append), steps


def test_the_fixture_lake_passes_all_22(found: tuple[AcceptanceReport, list[str]]) -> None:
    report, steps = found
    assert report.passed
    assert report.count("holds") == 22
    assert steps == [one.name for one in INVARIANTS]
    assert report.days == ["2026-03-02", "2026-03-03", "2026-03-04"]


def test_the_gate_names_code_and_fixture_as_what_it_looked_at(
    found: tuple[AcceptanceReport, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gate, "accept_fixture", lambda *_: found[0])
    verdict = gate.acceptance(Lake(tmp_path), STAMP)
    assert (verdict.passed, verdict.severity, verdict.checked_at) == (True, "ERROR", STAMP)
    assert verdict.summary == "22 of 22 invariants hold"
    assert verdict.input_sha256 == code_and_fixture_hash()
    assert verdict.rows_checked == len(read_expected(fixture_path()) or ())
    assert [row["number"] for row in (verdict.tables or {})["invariants"]] == list(range(1, 23))
    assert list(tmp_path.iterdir()) == []


def test_the_gate_is_red_and_names_the_row_where_an_invariant_fails(
    spoiled: Spoiled, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spoiled.take()
    spoiled.drop("evidence/2026/03/02/audits.jsonl", 1)
    monkeypatch.setattr(runner, "make_copies", lambda *_: spoiled.copies)
    monkeypatch.setattr(runner, "INVARIANTS", INVARIANTS[3:5])
    verdict = gate.acceptance(Lake(tmp_path), STAMP)
    assert not verdict.passed
    assert verdict.summary == "1 of 2 invariants hold; invariant 4 failed"
    why = "Line 0 of each stream is there, with line_offset 0: the first line is neither evidence nor quarantined"
    assert verdict.offenders == [{"file": "_kb/audits.jsonl", "line": 1, "invariant": 4, "why": why}]


def test_a_report_is_the_same_but_for_its_stamp(
    found: tuple[AcceptanceReport, list[str]], copies: Copies, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runner, "make_copies", lambda *_: copies)
    one, other = found[0], accept_fixture("2027-01-01T00:00:00.000Z")
    assert one != other
    assert changed(other, stamp=STAMP) == one
    path = write_report(tmp_path, "night-1", one)
    assert path == tmp_path / "acceptance" / "night-1.md"
    before = tree(tmp_path)
    write_report(tmp_path, "night-1", changed(other, stamp=STAMP))
    assert tree(tmp_path) == before
    assert json.loads(path.with_suffix(".json").read_bytes())["invariants"][21]["rows"] == 4


def test_a_failure_stands_in_the_report_with_file_and_line(spoiled: Spoiled) -> None:
    spoiled.take()
    spoiled.change("distilled/sft/sft_export.jsonl", 1, lambda row: row.update(instruction="Do | it."))
    found = spoiled.hold(18)
    report = AcceptanceReport(
        schema_version=1,
        stamp=STAMP,
        lake="a lake",
        now=NOW,
        passed=False,
        days=[],
        held_days={"2026-03-02": "red"},
        invariants=[found],
    )
    text = page(report)
    assert "0 of 1 invariants hold; invariant 18 failed" in text
    assert "- `distilled/sft/sft_export.jsonl:1`: its instruction is not what the wording makes" in text
    assert "- 2026-03-02: red" in text


def test_a_report_is_never_written_outside_its_folder(tmp_path: Path) -> None:
    report = AcceptanceReport(
        schema_version=1, stamp=STAMP, lake="", now=NOW, passed=True, days=[], held_days={}, invariants=[]
    )
    with pytest.raises(UsageError, match="no name for a report"):
        write_report(tmp_path, "../out", report)


def test_a_sample_lake_holds_every_invariant_that_applies(sample: tuple[Path, Tree, AcceptanceReport]) -> None:
    _, _, report = sample
    assert [(one.number, one.failures) for one in report.invariants if one.status == "failed"] == []
    assert report.passed
    assert report.count("holds") >= 19
    assert all(one.rows > 0 for one in report.invariants if one.status == "holds")
    assert all(one.why for one in report.invariants if one.status == "not_applicable")


def test_the_lake_given_is_only_read(sample: tuple[Path, Tree, AcceptanceReport]) -> None:
    root, before, _ = sample
    assert tree(root) == before


def test_what_has_nothing_to_look_at_is_counted_apart_and_fails_where_everything_must_apply(copies: Copies) -> None:
    nobody_late = Context(replace(copies, late=None))
    invariant = INVARIANTS[6]
    apart = hold(invariant, nobody_late)
    assert (apart.status, apart.rows, apart.why) == ("not_applicable", 0, "no row is late")
    strict = hold(invariant, nobody_late, every=True)
    assert strict.status == "failed"
    assert "nothing to look at: no row is late" in strict.failures[0].why


def test_a_folder_without_raw_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no raw files here"):
        accept(tmp_path, tmp_path / "work", STAMP)


def test_a_lake_that_publishes_nothing_is_no_pass(tmp_path: Path) -> None:
    (tmp_path / "lake" / "_kb").mkdir(parents=True)
    row = {"file": "a.rs", "attempts_made": 3, "suggestions": "no", "reviewed_at": "2026-05-09T08:00:00Z"}
    (tmp_path / "lake" / "_kb" / "scrum_reviews.jsonl").write_text(json.dumps(row) + "\n")
    report = accept(tmp_path / "lake", tmp_path / "work", STAMP)
    states = {one.number: one.status for one in report.invariants}
    assert [(one.number, one.failures) for one in report.invariants if one.status == "failed"] == []
    assert report.passed
    assert states[13] == "holds"
    assert {states[number] for number in (5, 7, 15, 16, 17, 18, 19, 20, 22)} == {"not_applicable"}
