"""The profile of a day and its window: exact counts, kept once, and the right days before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.baseline import log_path
from lakehouse.chain.manifests import data_hash, read_manifest
from lakehouse.drift import profile as profiles
from lakehouse.drift.comparing import compare
from lakehouse.drift.profile import MOST_VALUES, Values, path_of, pooled, profile
from lakehouse.drift.window import window
from lakehouse.errors import RecordError
from lakehouse.gates.verdicts import read_verdicts, record
from lakehouse.gates.waivers import waive
from tests.lakehouse.conftest import NOW, green

DAY, NEXT, THIRD = "2026-05-01", "2026-05-02", "2026-05-03"


def run(n: int, day: str = DAY, **more: Any) -> dict[str, Any]:
    return {"run_id": f"r{n}", "prompt": f"p{n}", "response": f"a{n}", "ts": f"{day}T10:00:00Z", **more}


def outcome(n: int, ok: int, day: str = DAY) -> dict[str, Any]:
    return {"run_id": f"o{n}", "scenario": f"s{n}", "total_events": 4, "ok_events": ok, "ts": f"{day}T10:00:00Z"}


def fill(lab: Any, *days: str) -> None:
    for day in days:
        lab.write("agent_runs", run(1, day, passed=True), run(2, day, reward=0.5), run(3, day, reward=0.5), run(4, day))
        lab.write("outcomes", outcome(1, 4, day), outcome(2, 1, day))
    lab.make(chunks=False)


def baseline(partition: str | None, **more: Any) -> bytes:
    row = {"schema": "audit_baseline.v1", "recorded_at": "x", "git_commit": "f", "run_id": "r", "run_hash": "h"}
    return json.dumps({**row, "producer": "p", "metrics": {}, "partition": partition, **more}).encode()


def keep(lab: Any, *lines: bytes, end: bytes = b"\n") -> None:
    log_path(lab.lake).write_bytes(b"\n".join(lines) + end)


def test_categories_and_values_are_counted_by_stream(lab: Any) -> None:
    fill(lab, DAY)
    found = profile(lab.lake, DAY)
    assert found is not None
    assert found.rows == 6
    assert found.streams == {
        "agent_runs": {"accepted": 1, "needs_human_review": 1, "partially_accepted": 2},
        "outcomes": {"accepted": 1, "rejected": 1},
    }
    assert found.values == {
        "agent_runs": {"passed": [(1.0, 1)], "reward": [(0.5, 2)]},
        "outcomes": {"ok_ratio": [(0.25, 1), (1.0, 1)]},
    }


def test_runs_of_the_stream_without_the_sub_score_are_missing_values(lab: Any) -> None:
    fill(lab, DAY, NEXT)
    days = [profile(lab.lake, day) for day in (DAY, NEXT)]
    scores = pooled(day for day in days if day)
    assert scores.rows == 12
    assert scores.sample(("agent_runs", "reward")) == {0.5: 4, None: 4}
    assert scores.sample(("outcomes", "ok_ratio")) == {0.25: 2, 1.0: 2}
    assert scores.sample(("outcomes", "reward")) == {None: 4}
    assert scores.categories["accepted"] == 4


def test_a_day_that_was_never_scored_has_no_profile(lab: Any) -> None:
    assert profile(lab.lake, DAY) is None


def test_a_profile_is_counted_once_and_names_what_it_counted(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(lab, DAY)
    first = profile(lab.lake, DAY)
    manifest = read_manifest(lab.lake, "score", DAY)
    assert first is not None
    assert manifest is not None
    assert first.input_sha256 == data_hash(manifest.outputs)
    monkeypatch.setattr(profiles, "_count", lambda task: pytest.fail("the runs were read again"))
    assert profile(lab.lake, DAY) == first


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"{"),
        lambda path: path.write_bytes(path.read_bytes().replace(b'"input_sha256":"', b'"input_sha256":"0')),
        lambda path: path.write_bytes(path.read_bytes().replace(b"scores-1", b"scores-0")),
    ],
    ids=["missing", "damaged", "of other runs", "of other code"],
)
def test_a_profile_that_is_not_that_of_the_day_is_made_again_to_the_same_bytes(lab: Any, spoil: Any) -> None:
    fill(lab, DAY)
    first = profile(lab.lake, DAY)
    path = path_of(lab.lake, DAY)
    before = path.read_bytes()
    spoil(path)
    assert profile(lab.lake, DAY) == first
    assert path.read_bytes() == before


def test_new_runs_of_a_day_make_a_new_profile(lab: Any) -> None:
    fill(lab, DAY)
    profile(lab.lake, DAY)
    lab.write("agent_runs", run(9, reward=1))
    lab.make(chunks=False)
    found = profile(lab.lake, DAY)
    assert found is not None
    assert found.rows == 7


def test_stretches_of_a_file_count_as_the_whole(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(lab, DAY)
    whole = profile(lab.lake, DAY)
    path_of(lab.lake, DAY).unlink()
    monkeypatch.setattr(profiles, "_STRETCH", 300)
    monkeypatch.setattr(profiles, "_CELLS", 1)
    assert profile(lab.lake, DAY) == whole


@pytest.mark.parametrize("name", ["agent_runs", "outcomes"])
def test_scored_runs_that_were_cut_or_are_gone_are_no_profile(lab: Any, name: str) -> None:
    fill(lab, DAY)
    path = lab.lake.scored(DAY, name)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RecordError, match=f"{name}.jsonl"):
        profile(lab.lake, DAY)
    path.unlink()
    with pytest.raises(RecordError, match=f"{name}.jsonl"):
        profile(lab.lake, DAY)
    assert not path_of(lab.lake, DAY).exists()


def test_a_line_that_is_no_scored_run_is_named(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(lab, DAY)
    path = lab.lake.scored(DAY, "agent_runs")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"{" + lines[2][1:].replace(b":", b";", 1), *lines[3:]]))
    monkeypatch.setattr(profiles, "_STRETCH", 1000)
    with pytest.raises(RecordError, match=r"agent_runs\.jsonl:3"):
        profile(lab.lake, DAY)


def test_a_sub_score_that_is_neither_number_nor_word_is_named(lab: Any) -> None:
    fill(lab, DAY)
    path = lab.lake.scored(DAY, "agent_runs")
    path.write_bytes(path.read_bytes().replace(b'{"reward":0.5}', b'{"reward":[1]}'))
    with pytest.raises(RecordError, match=r"agent_runs\.jsonl:2"):
        profile(lab.lake, DAY)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=60), st.randoms(use_true_random=False))
def test_values_do_not_depend_on_their_order_even_where_they_are_rounded(values: list[float], draw: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profiles, "MOST_VALUES", 20)
        one, other = Values(), Values()
        for value in values:
            one.add(value, 1)
        for value in draw.sample(values, len(values)):
            other.add(value, 1)
    assert sorted(map(repr, one.counts.items())) == sorted(map(repr, other.counts.items()))
    assert one.rounded == other.rounded == (len(set(values)) > 20)
    assert sum(one.counts.values()) == len(values)


def test_more_values_than_are_kept_are_rounded_to_three_digits() -> None:
    values = Values()
    for number in range(MOST_VALUES + 1):
        values.add(number / 100_000, 2)
    assert len(values.counts) < MOST_VALUES
    assert sum(values.counts.values()) == 2 * (MOST_VALUES + 1)
    assert 0.0234 in values.counts


def test_the_window_is_the_days_of_the_last_baseline_before_the_day(lab: Any) -> None:
    fill(lab, DAY, NEXT, THIRD)
    keep(lab, baseline(f"{DAY}...{THIRD}"), baseline(NEXT))
    assert window(lab.lake, THIRD).days == (NEXT,)
    assert window(lab.lake, "2026-05-20").days == (NEXT,)
    assert window(lab.lake, NEXT).days == (DAY,)
    assert "last baseline" in window(lab.lake, THIRD).source


def test_a_day_is_not_its_own_reference_and_keeps_the_one_it_had(lab: Any) -> None:
    fill(lab, DAY, NEXT, THIRD)
    keep(lab, baseline(NEXT))
    before = window(lab.lake, THIRD)
    keep(lab, baseline(NEXT), baseline(THIRD))
    assert window(lab.lake, THIRD) == before


def test_without_a_baseline_that_covers_a_scored_day_it_is_the_thirty_days_before(lab: Any) -> None:
    fill(lab, "2026-04-02", "2026-04-03", DAY, NEXT, THIRD)
    for lines in ((), (baseline(None),), (baseline("2026-05-09"),), (baseline("2025-01-01...2025-02-01"),)):
        keep(lab, *lines)
        assert window(lab.lake, THIRD).days == ("2026-04-03", DAY, NEXT)
        assert "30 days before" in window(lab.lake, THIRD).source


def test_baselines_of_other_producers_are_passed_over(lab: Any) -> None:
    fill(lab, DAY, NEXT, THIRD)
    keep(lab, baseline(DAY), baseline(None, producer="go"))
    assert window(lab.lake, THIRD).days == (DAY,)


def test_without_any_day_before_the_window_is_empty_and_says_so(lab: Any) -> None:
    fill(lab, DAY)
    assert window(lab.lake, DAY).days == ()
    assert str(window(lab.lake, DAY)) == "no day in the 30 days before"


def test_a_damaged_log_is_an_error_with_its_line(lab: Any) -> None:
    fill(lab, DAY, NEXT)
    keep(lab, baseline(DAY), baseline(DAY)[:9], end=b"")
    with pytest.raises(RecordError, match=r"audit_baselines\.jsonl:2.*torn"):
        window(lab.lake, NEXT)


def hold(lab: Any, day: str) -> None:
    record(lab.lake, "evidence", day, green("contract", "x", passed=False, summary="a field is null"))


def test_a_day_that_a_red_gate_holds_back_is_no_reference_until_it_is_waived(lab: Any) -> None:
    fill(lab, DAY, NEXT, THIRD)
    for lines in ((), (baseline(f"{DAY}...{NEXT}"),)):
        keep(lab, *lines)
        assert window(lab.lake, THIRD).days == (DAY, NEXT)
    hold(lab, NEXT)
    for lines in ((), (baseline(f"{DAY}...{NEXT}"),), (baseline(DAY), baseline(NEXT))):
        keep(lab, *lines)
        assert window(lab.lake, THIRD).days == (DAY,)
        assert compare(lab.lake, THIRD).reference_rows == 6
    red = read_verdicts(lab.lake, "evidence", NEXT)["contract"]
    waive(lab.lake, "evidence", NEXT, red, by="me", reason="known", at=NOW)
    assert window(lab.lake, THIRD).days == (NEXT,)


def test_a_healthy_day_after_a_day_that_is_held_back_is_stable(lab: Any) -> None:
    fill(lab, DAY)
    lab.write("outcomes", *(outcome(n, 0, NEXT) for n in range(600)))
    fill(lab, THIRD)
    assert compare(lab.lake, THIRD).verdict != "stable"
    hold(lab, NEXT)
    assert compare(lab.lake, THIRD).verdict == "stable"
