"""The drift gates: red with what moved named, warning where rows are few, green, and honest where nothing is to compare."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lakehouse.baseline import log_path
from lakehouse.chain.manifests import data_hash, read_manifest
from lakehouse.errors import RecordError
from lakehouse.gates.distribution import score_distribution_psi
from lakehouse.gates.metric_drift import metric_drift
from lakehouse.gates.verdicts import record
from lakehouse.publish.cards import NAMES
from lakehouse.publish.companions import cards_due, write_live
from lakehouse.publish.sft import LEFT_OUT
from tests.lakehouse.conftest import reseal

DAY, NEXT, THIRD = "2026-05-01", "2026-05-02", "2026-05-03"
NOW = "2026-05-10T02:00:00.000Z"


def runs(day: str, count: int, good: float, tag: str = "") -> list[dict[str, Any]]:
    """Runs of which a share has the reward 0.9 and the others 0.1."""
    stamp = f"{day}T10:00:00Z"
    return [
        {
            "run_id": f"{tag}{n}",
            "prompt": f"p{tag}{n}",
            "response": f"a{tag}{n} {day}",
            "reward": 0.9 if n < good * count else 0.1,
            "ts": stamp,
        }
        for n in range(count)
    ]


def days(lab: Any, *shares: tuple[str, int, float]) -> Any:
    for day, count, good in shares:
        lab.write("agent_runs", *runs(day, count, good))
    lab.make(chunks=False)
    return lab.lake


def test_a_major_drift_of_many_rows_is_an_error_that_names_what_moved(lab: Any) -> None:
    lake = days(lab, (DAY, 600, 0.9), (NEXT, 600, 0.4))
    found = score_distribution_psi(lake, NEXT, NOW)
    assert (found.passed, found.severity, found.rows_checked) == (False, "ERROR", 600)
    assert [(one["file"], one["line"]) for one in found.offenders] == [("scored-runs/2026/05/02", 0)] * 2
    whys = [one["why"] for one in found.offenders]
    assert whys[0].startswith("agent_runs.reward: PSI 1.") or whys[0].startswith("category: PSI 1.")
    assert any("60.0% of 600 in bucket rejected, 10.0% of 600 in the reference" in why for why in whys)
    assert found.summary.startswith("major drift on 2026-05-02 against 1 day before it (2026-05-01): ")
    manifest = read_manifest(lake, "score", NEXT)
    assert manifest is not None
    assert found.input_sha256 == data_hash(manifest.outputs)


def test_the_tables_hold_the_indexes_and_the_histograms_in_percent(lab: Any) -> None:
    found = score_distribution_psi(days(lab, (DAY, 600, 0.9), (NEXT, 600, 0.4)), NEXT, NOW)
    assert found.tables is not None
    assert set(found.tables) == {"psi", "histogram category", "histogram agent_runs.reward"}
    category, reward = found.tables["psi"]
    assert (category["what"], category["verdict"], category["decile_psi"]) == ("category", "major", None)
    assert (reward["what"], reward["reference_rows"], reward["current_rows"]) == ("agent_runs.reward", 600, 600)
    assert found.tables["histogram category"] == [
        {"bucket": "partially_accepted", "reference": 90.0, "current": 40.0},
        {"bucket": "rejected", "reference": 10.0, "current": 60.0},
    ]


@pytest.mark.parametrize(("before", "now"), [(499, 600), (600, 499), (50, 50)])
def test_below_500_rows_on_either_side_a_major_drift_warns_and_says_why(lab: Any, before: int, now: int) -> None:
    found = score_distribution_psi(days(lab, (DAY, before, 0.9), (NEXT, now, 0.4)), NEXT, NOW)
    assert (found.passed, found.severity) == (False, "WARN")
    assert "it does not block" in found.summary
    assert "fewer than 500 rows" in found.summary
    assert "chance" not in found.summary


def test_500_rows_on_both_sides_are_enough(lab: Any) -> None:
    found = score_distribution_psi(days(lab, (DAY, 500, 0.9), (NEXT, 500, 0.4)), NEXT, NOW)
    assert found.severity == "ERROR"


def test_a_minor_drift_warns_however_many_rows_there_are(lab: Any) -> None:
    found = score_distribution_psi(days(lab, (DAY, 600, 0.9), (NEXT, 600, 0.77)), NEXT, NOW)
    assert (found.passed, found.severity) == (False, "WARN")
    assert "(minor)" in found.summary
    assert "does not block" not in found.summary


def test_what_chance_alone_moves_as_far_passes_and_is_counted(lab: Any) -> None:
    found = score_distribution_psi(days(lab, (DAY, 20, 0.9), (NEXT, 20, 0.75)), NEXT, NOW)
    assert (found.passed, found.offenders, found.rows_checked) == (True, [], 20)
    assert "2 more moved, no further than chance moves so few rows" in found.summary
    assert found.tables is not None
    assert {row["verdict"] for row in found.tables["psi"]} == {"minor"}
    assert all(row["chance"] > row["psi"] for row in found.tables["psi"])


def test_a_day_like_those_before_it_passes(lab: Any) -> None:
    lake = days(lab, (DAY, 300, 0.9), (NEXT, 300, 0.9), (THIRD, 600, 0.9))
    found = score_distribution_psi(lake, THIRD, NOW)
    assert (found.passed, found.offenders, found.rows_checked) == (True, [], 600)
    assert found.summary.startswith("stable on 2026-05-03 against 2 days before it (2026-05-01 to 2026-05-02")
    assert found.tables is not None
    assert "histogram category" in found.tables


def test_a_sub_score_that_falls_away_is_a_drift(lab: Any) -> None:
    lab.write("agent_runs", *runs(DAY, 600, 1))
    lab.write("agent_runs", *({**row, "reward": None, "verdict": "cycle"} for row in runs(NEXT, 600, 1)))
    lab.make(chunks=False)
    found = score_distribution_psi(lab.lake, NEXT, NOW)
    (offender,) = found.offenders
    assert found.severity == "ERROR"
    assert "agent_runs.reward" in offender["why"]
    assert found.tables is not None
    assert {"bucket": "missing", "reference": 0.0, "current": 100.0} in found.tables["histogram agent_runs.reward"]


def test_a_stream_of_one_side_only_is_insufficient_data_and_no_offender(lab: Any) -> None:
    lake = days(lab, (DAY, 60, 1), (NEXT, 60, 1))
    lab.write("outcomes", {"scenario": "s", "total_events": 2, "ok_events": 1, "ts": f"{NEXT}T10:00:00Z"})
    lab.make(chunks=False)
    found = score_distribution_psi(lake, NEXT, NOW)
    assert found.passed
    assert found.tables is not None
    (row,) = (row for row in found.tables["psi"] if row["what"] == "outcomes.ok_ratio")
    assert (row["psi"], row["verdict"], row["reference_rows"]) == (None, "insufficient_data", 0)


def test_the_first_day_has_nothing_to_compare_with_and_says_so(lab: Any) -> None:
    found = score_distribution_psi(days(lab, (DAY, 5, 1)), DAY, NOW)
    assert (found.passed, found.rows_checked, found.tables) == (True, 0, None)
    assert found.summary.startswith("nothing to compare with yet")


def test_a_day_without_runs_says_so(lab: Any) -> None:
    lake = days(lab, (DAY, 5, 1))
    lab.make([NEXT], chunks=False)
    found = score_distribution_psi(lake, NEXT, NOW)
    assert (found.passed, found.rows_checked) == (True, 0)
    assert found.summary == "nothing to compare on 2026-05-02: the day has no scored runs"


def test_a_day_that_was_never_scored_is_an_error(lab: Any) -> None:
    with pytest.raises(RecordError, match="never made"):
        score_distribution_psi(lab.lake, DAY, NOW)


def test_looking_again_says_the_same(lab: Any) -> None:
    lake = days(lab, (DAY, 60, 1), (NEXT, 60, 0.5))
    assert score_distribution_psi(lake, NEXT, NOW) == score_distribution_psi(lab.lake, NEXT, NOW)


# The gate on metrics.


def baseline(metrics: dict[str, float], **more: Any) -> bytes:
    row = {"schema": "audit_baseline.v1", "recorded_at": "x", "git_commit": "f", "run_id": "r", "run_hash": "h"}
    return json.dumps({**row, "producer": "p", "metrics": metrics, **more}).encode()


def keep(lab: Any, *lines: bytes, end: bytes = b"\n") -> None:
    log_path(lab.lake).write_bytes(b"\n".join(lines) + end)


def test_metrics_that_moved_are_named_with_the_line_of_the_newest_baseline(lab: Any) -> None:
    keep(
        lab,
        baseline({"a": 1}),
        baseline({"rows": 12, "p3": 0, "same": 5}),
        b"",
        baseline({"rows": 82, "p3": 3, "same": 5}),
    )
    found = metric_drift(lab.lake, NOW)
    assert (found.check, found.passed, found.severity, found.rows_checked) == ("metric_drift", False, "WARN", 3)
    assert found.offenders == [
        {"file": "_kb/audit_baselines.jsonl", "line": 4, "why": "p3: 0 to 3, no percentage of 0"},
        {"file": "_kb/audit_baselines.jsonl", "line": 4, "why": "rows: 12 to 82, +583.3 %"},
    ]
    assert found.tables is not None
    assert [(row["metric"], row["flag"]) for row in found.tables["drift"]] == [
        ("p3", "warn"),
        ("rows", "warn"),
        ("same", "ok"),
    ]
    assert all(set(row) == {"metric", "prior", "current", "pct_change", "flag"} for row in found.tables["drift"])


def test_metrics_that_did_not_move_pass(lab: Any) -> None:
    keep(lab, baseline({"rows": 100}), baseline({"rows": 120}))
    found = metric_drift(lab.lake, NOW)
    assert (found.passed, found.offenders, found.rows_checked) == (True, [], 1)
    assert found.summary == "0 of 1 metrics moved by more than 20 % since the baseline before"


def test_a_metric_that_is_measured_no_more_is_said(lab: Any) -> None:
    keep(lab, baseline({"rows": 100, "old": 1}), baseline({"rows": 100}))
    assert metric_drift(lab.lake, NOW).summary.endswith("not measured any more: old")


@pytest.mark.parametrize(
    ("lines", "said", "rows"), [((), "no baseline", 0), ((baseline({"a": 1}),), "one baseline", 1)]
)
def test_without_two_baselines_it_says_that_there_is_nothing_to_compare(
    lab: Any, lines: tuple[bytes, ...], said: str, rows: int
) -> None:
    if lines:
        keep(lab, *lines)
    found = metric_drift(lab.lake, NOW)
    assert (found.passed, found.rows_checked) == (True, 0)
    assert found.summary == f"nothing to compare yet: the log holds {said}"
    assert [row["flag"] for row in (found.tables or {}).get("drift", [])] == ["first_run"] * rows


@pytest.mark.parametrize(
    ("spoil", "line"),
    [(lambda good: ((good, good[:20]), b""), 2), (lambda good: ((good, b"{", good), b"\n"), 2)],
    ids=["torn", "damaged"],
)
def test_a_torn_or_damaged_log_is_red_and_names_the_line(
    lab: Any, spoil: Callable[[bytes], tuple[tuple[bytes, ...], bytes]], line: int
) -> None:
    lines, end = spoil(baseline({"a": 1}))
    keep(lab, *lines, end=end)
    found = metric_drift(lab.lake, NOW)
    assert (found.passed, found.severity, found.rows_checked) == (False, "ERROR", 0)
    (offender,) = found.offenders
    assert (offender["file"], offender["line"]) == ("_kb/audit_baselines.jsonl", line)


def test_a_damaged_log_stops_the_gate_on_days_too(lab: Any) -> None:
    lake = days(lab, (DAY, 5, 1), (NEXT, 5, 1))
    keep(lab, b"{")
    with pytest.raises(RecordError, match=r"audit_baselines\.jsonl:1"):
        score_distribution_psi(lake, NEXT, NOW)


# What the dataset card says of it.


def card(lab: Any) -> str:
    return (lab.lake.sft / "README.md").read_text(encoding="utf-8")


def publish(lab: Any) -> None:
    for day, good in ((DAY, 1.0), (NEXT, 1.0)):
        lab.write("agent_runs", *({**row, "reward": 1.0} for row in runs(day, 6, good, day)))
    lab.make(chunks=False)
    lab.gate([DAY, NEXT])
    lab.publish()


def forget(lab: Any) -> None:
    """Take the verdict on the newest day away, as if no gate had looked at how its scores are spread."""
    path = lab.lake.gate("scored_runs", NEXT)
    held = json.loads(path.read_bytes())
    held["verdicts"] = [one for one in held["verdicts"] if one["check"] != "score_distribution_psi"]
    reseal(path, held)


def test_the_card_says_how_the_newest_published_day_compares(lab: Any) -> None:
    publish(lab)
    forget(lab)
    write_live(lab.lake, "a" * 64)
    assert "| drift verdict | not measured |" in card(lab)
    found = record(lab.lake, "scored_runs", NEXT, score_distribution_psi(lab.lake, NEXT, NOW))
    assert cards_due(lab.lake, "2026-05-10") == {NEXT: "the dataset card is not that of what is published"}
    write_live(lab.lake, "b" * 64)
    assert f"| drift verdict | {found.summary} |" in card(lab)
    assert found.summary.startswith("stable on 2026-05-02 against 1 day before it")


def test_a_card_is_due_once_and_not_for_ever(lab: Any) -> None:
    publish(lab)
    record(lab.lake, "scored_runs", NEXT, score_distribution_psi(lab.lake, NEXT, NOW))
    write_live(lab.lake, "a" * 64)
    (lab.lake.sft / LEFT_OUT).touch()
    before = {name: (lab.lake.sft / name).read_bytes() for name in NAMES}
    assert cards_due(lab.lake, "2026-05-10") == {}
    record(lab.lake, "scored_runs", NEXT, score_distribution_psi(lab.lake, NEXT, "2026-05-11T00:00:00.000Z"))
    assert cards_due(lab.lake, "2026-05-10") == {}
    write_live(lab.lake, "c" * 64)
    assert {name: (lab.lake.sft / name).read_bytes() for name in NAMES} == before


def test_a_verdict_on_other_runs_is_not_shown(lab: Any) -> None:
    publish(lab)
    old = score_distribution_psi(lab.lake, NEXT, NOW)
    old.input_sha256 = "0" * 64
    record(lab.lake, "scored_runs", NEXT, old)
    write_live(lab.lake, "a" * 64)
    assert "| drift verdict | not measured |" in card(lab)
