"""People's verdicts: the latest wins, its day becomes stale, a bad line is shown and stops nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakehouse.overrides import days_of, decide, load_overrides
from lakehouse.records import OverrideRow

DAY, NEXT = "2026-05-01", "2026-05-02"
LATER = "2026-06-01T02:00:00.000Z"


def run(n: int, day: str = DAY) -> dict[str, Any]:
    return {"run_id": f"r{n}", "prompt": f"p{n}", "response": f"a{n}", "passed": True, "ts": f"{day}T10:00:00Z"}


def said(sig_hash: str, category: Any, at: str = "2026-05-03T10:00:00Z", **more: Any) -> OverrideRow:
    return OverrideRow(
        **{"sig_hash": sig_hash, "category": category, "by": "ann", "reason": "looked", "at": at, **more}
    )


def signature(lab: Any, run_id: str) -> str:
    return next(record["provenance"]["sig_hash"] for record in lab.evidence() if record["run_id"] == run_id)


def verdicts(lab: Any) -> dict[str, str]:
    return {run["evidence_run_id"]: run["category"] for run in lab.scored()}


@pytest.fixture
def made(lab: Any) -> Any:
    """A lake with two days that are up to date."""
    lab.write("agent_runs", run(0), run(1), run(2, NEXT))
    lab.make()
    assert lab.stale() == {}
    return lab


@pytest.mark.parametrize(
    ("first", "second", "wins"),
    [
        ("2026-05-03T10:00:00Z", "2026-05-03T10:00:01Z", "second"),
        ("2026-05-03T10:00:01Z", "2026-05-03T10:00:00Z", "first"),
        ("2026-05-03T10:00:00Z", "2026-05-03T10:00:00Z", "second"),
        ("2026-05-03T10:00:00Z", "2026-05-03T11:30:00+02:00", "first"),
        ("2026-05-03T10:00:00.000000Z", "2026-05-03T10:00:00Z", "second"),
    ],
)
def test_the_latest_wins_and_of_equals_the_later_line(lab: Any, first: str, second: str, wins: str) -> None:
    decide(lab.lake, said("ab", "rejected", first, by="first"))
    decide(lab.lake, said("ab", "accepted", second, by="second"))
    assert load_overrides(lab.lake)["ab"].by == wins


def test_an_override_makes_its_day_stale_and_no_other(made: Any) -> None:
    decide(made.lake, said(signature(made, "r1"), "rejected"))
    assert list(made.stale()) == [DAY]
    made.make(now=LATER)
    assert verdicts(made) == {"r0": "accepted", "r1": "rejected", "r2": "accepted"}
    assert made.stale() == {}
    reasons = next(run["reasons"] for run in made.scored() if run["evidence_run_id"] == "r1")
    assert reasons[0] == "human_override:ann"
    assert [sample["source_run_id"] for sample in made.samples()] == ["r0", "r2"]


@pytest.mark.parametrize(
    "change",
    [
        {"category": "partially_accepted"},
        {"by": "bob"},
        {"at": "2026-05-04T10:00:00Z", "category": "accepted"},
        {"reason": "looked again"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_word_on_the_same_row_makes_its_day_stale_again(made: Any, change: dict[str, Any]) -> None:
    sig_hash = signature(made, "r1")
    decide(made.lake, said(sig_hash, "rejected"))
    made.make()
    decide(made.lake, said(**{"sig_hash": sig_hash, "category": "rejected", **change}))
    assert list(made.stale()) == [DAY]
    made.make()
    assert made.stale() == {}


def test_an_older_word_changes_nothing(made: Any) -> None:
    sig_hash = signature(made, "r1")
    decide(made.lake, said(sig_hash, "rejected"))
    made.make()
    decide(made.lake, said(sig_hash, "accepted", "2026-05-02T00:00:00Z"))
    assert made.stale() == {}


def test_a_log_that_is_taken_away_gives_the_rules_back_their_word(made: Any) -> None:
    decide(made.lake, said(signature(made, "r1"), "rejected"))
    made.make()
    (made.root / "_kb/human_overrides.jsonl").unlink()
    assert list(made.stale()) == [DAY]
    made.make()
    assert set(verdicts(made).values()) == {"accepted"}


def test_an_override_may_come_before_its_row(new_lab: Any) -> None:
    other, lab = new_lab(), new_lab()
    other.write("agent_runs", run(7))
    other.make()
    decide(lab.lake, said(signature(other, "r7"), "rejected"))
    assert lab.stale() == {}
    lab.write("agent_runs", run(7))
    lab.make()
    assert verdicts(lab) == {"r7": "rejected"}
    assert lab.stale() == {}


def test_an_override_that_was_asked_for_before_its_row_was_scored_is_still_heard(new_lab: Any) -> None:
    other, lab = new_lab(), new_lab()
    other.write("agent_runs", run(7))
    other.make()
    lab.write("agent_runs", run(7))
    lab.index()
    # The sensor looks while a run that began before the override is still making the day.
    override = said(signature(other, "r7"), "rejected")
    days_of(lab.lake, {override.sig_hash: override}, {})
    lab.make()
    decide(lab.lake, override)
    assert list(lab.stale()) == [DAY]


def test_an_unknown_signature_is_harmless(made: Any) -> None:
    decide(made.lake, said("f" * 64, "rejected"))
    decide(made.lake, said('"}},{"', "rejected"))
    assert made.stale() == {}
    made.make([DAY])
    assert set(verdicts(made).values()) == {"accepted"}


GOOD = {"sig_hash": "ab", "category": "accepted", "by": "ann", "reason": "", "at": "2026-05-03T10:00:00Z"}


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"[]",
        b"\xff",
        json.dumps({**GOOD, "category": "great"}).encode(),
        json.dumps({**GOOD, "at": "soon"}).encode(),
        json.dumps({key: value for key, value in GOOD.items() if key != "by"}).encode(),
        json.dumps({**GOOD, "by": "\xff"}, ensure_ascii=False).encode("latin-1"),
    ],
)
def test_a_line_that_is_no_override_is_quarantined_and_its_neighbours_count(lab: Any, bad: bytes) -> None:
    lab.write("human_overrides", GOOD, b"", bad, {**GOOD, "sig_hash": "cd"})
    for _ in range(2):
        assert set(load_overrides(lab.lake)) == {"ab", "cd"}
    (entry,) = lab.all("quarantine/undated/overrides.jsonl")
    assert (entry["source_file"], entry["line_offset"], entry["reason_code"]) == (
        "_kb/human_overrides.jsonl",
        2,
        "bad_override",
    )
    (lab.root / "_kb/human_overrides.jsonl").unlink()
    assert load_overrides(lab.lake) == {}
    assert lab.all("quarantine/undated/overrides.jsonl") == []


def test_a_torn_last_line_is_not_there_yet(lab: Any) -> None:
    lab.write("human_overrides", GOOD)
    lab.write("human_overrides", {**GOOD, "sig_hash": "cd"}, end=b"")
    assert set(load_overrides(lab.lake)) == {"ab"}
    assert lab.all("quarantine/undated/*.jsonl") == []
