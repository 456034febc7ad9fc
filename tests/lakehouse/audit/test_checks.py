"""Each required check: seen failing with the right place named, and passing on the lake as it was left."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from typing import Any

import msgspec
import pytest

from lakehouse import records
from lakehouse.audit.examples import examples
from lakehouse.audit.registry import PHASES
from lakehouse.audit.schemas import record_types, round_trip
from lakehouse.gates.contamination import contamination_firewall
from lakehouse.gates.verdicts import record, verdict
from lakehouse.publish.exports import SFT as EXPORT
from lakehouse.sql import connect
from tests.lakehouse.conftest import reseal

NOW = "2026-05-10T02:00:00.000Z"
EVIDENCE, SCORED = "evidence/2026/05/02/scrum_reviews.jsonl", "scored-runs/2026/05/02/scrum_reviews.jsonl"
SFT, PUBLICATION = "distilled/sft/sft_export.jsonl", "index/publications/sft_export.json"
RUN = "reports/distillation/second"
TABLE = {
    0: {"lake_reachable", "git_commit_known"},
    1: {"schemas_round_trip", "files_decode"},
    2: {"evidence_present", "provenance_complete", "rows_match_receipt"},
    3: {"every_evidence_scored", "reasons_present"},
    4: {"zero_contamination", "sft_nonempty_or_explained"},
    5: {"summary_valid", "receipts_valid"},
    6: {"invariants_hold"},
    7: {"replay_log_valid"},
}


def green(check: str = "acceptance", **changes: Any) -> records.Verdict:
    told = {"passed": True, "rows_checked": 22, "summary": "22 of 22 hold", "offenders": []}
    given: dict[str, Any] = {**told, "input_sha256": "", "code_version": "1", "checked_at": NOW, **changes}
    return verdict(check, **given)


def replay(**fields: Any) -> bytes:
    return json.dumps({"schema": "replay_run.v1", "producer": "go", **fields}).encode() + b"\n"


def answered() -> records.ReplayRun:
    return records.ReplayRun(
        schema="replay_run.v1", run_id="r", session_id="s", task="t", retrieved=[], model="m", provider="p", response="yes",
        validation=records.Validation(ok=True, errors=[]), escalated=False, recorded_at=NOW, duration_ms=1, producer="python",
    )  # fmt: skip


def test_the_phases_have_the_required_checks_of_the_table() -> None:
    assert {phase.number: set(phase.required) for phase in PHASES} == TABLE


def test_a_lake_as_its_runs_left_it_passes_every_check(finished: Any) -> None:
    (finished.root / "_kb" / "replay_runs.jsonl").write_bytes(replay() * 3)
    report = finished.audit(acceptance=green, live_replay=answered)
    assert report.passed
    assert {one.check: one.status for one in report.checks if one.status != "passed"} == {}
    required = {one.check for one in report.checks if one.required}
    assert required == {name for names in TABLE.values() for name in names}


def test_the_numbers_observed_are_those_of_the_lake(finished: Any, helpers: Any) -> None:
    one = helpers.one
    report = finished.audit()
    assert one(report, "evidence_present").observed["rows"] == len(list(all_lines(finished, "evidence"))) == 41
    scored = one(report, "every_evidence_scored").observed
    assert (scored["rows"], scored["rows.accepted"], scored["rows.rejected"]) == (41, 21, 10)
    assert one(report, "sft_nonempty_or_explained").observed["sft_rows"] == len(finished.lines(SFT))
    assert one(report, "receipts_valid").observed["runs"] == 2


def all_lines(finished: Any, top: str) -> Any:
    return (line for path in (finished.root / top).rglob("*.jsonl") for line in path.read_bytes().splitlines())


# Phase 0


def test_a_lake_that_cannot_be_written_to_is_not_reachable(finished: Any, helpers: Any) -> None:
    one, places = helpers.one, helpers.places
    (finished.root / "index" / ".audit-audit").mkdir()
    report = finished.audit()
    assert places(one(report, "lake_reachable")) == [("index", 0)]
    assert "cannot be written" in one(report, "lake_reachable").why
    assert not report.passed


def test_the_probe_is_taken_away_again(finished: Any) -> None:
    assert finished.audit().passed
    assert not list((finished.root / "index").glob(".audit*"))


def test_where_there_is_no_lake_every_other_phase_says_so_and_is_skipped(finished: Any, helpers: Any) -> None:
    one = helpers.one
    shutil.rmtree(finished.root)
    report = finished.audit()
    assert not report.passed
    assert "no folder" in one(report, "lake_reachable").why
    later = [check for check in report.checks if check.phase]
    assert {check.status for check in later} == {"skipped"}
    assert all("cannot be reached" in check.why for check in later)
    assert not finished.root.exists()


@pytest.mark.parametrize("commit", ["0" * 40, "abc", ""])
def test_a_commit_that_is_not_known_fails(finished: Any, commit: str) -> None:
    found = finished.check("git_commit_known", commit=commit)
    assert found.status == "failed"
    assert "LAKEHOUSE_GIT_COMMIT" in found.why


# Phase 1


class _Forgets(records.Record, kw_only=True):
    """A record that leaves out a value which is no absence."""

    line_offset: int = 0


class _Confuses(records.Record, kw_only=True):
    """A record that reads one value as another."""

    score: str | int
    flag: bool


def test_every_record_type_of_the_module_is_tried() -> None:
    names = {kind.__name__ for kind in record_types(records)}
    assert {"EvidenceRecord", "ScoredRun", "Receipt", "RunSummary", "SealedReceipt", "GateVerdicts"} <= names
    assert all(list(round_trip(kind)) == [] for kind in record_types(records))


def test_a_record_that_forgets_a_value_is_named(finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(round_trip(_Confuses)) == []
    monkeypatch.setattr(records, "Forgets", _Forgets, raising=False)
    found = finished.check("schemas_round_trip")
    assert found.status == "failed"
    assert "_Forgets.line_offset: 0 is left out" in found.offenders[0]["why"]


@pytest.mark.parametrize(
    ("hint", "wanted"),
    [(str, [""]), (int, [0]), (float, [0.0]), (bool, [False, True]), (list[str], [[]]), (dict[str, int], [{}])],
)
def test_the_empty_values_of_every_type_are_among_the_examples(hint: Any, wanted: list[Any]) -> None:
    held = list(examples(hint))
    assert all(one in held for one in wanted)
    assert None in list(examples(hint | None))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("evidence/2026/05/05/audits.jsonl", 1),
        ("scored-runs/2026/05/04/scrum_reviews.jsonl", 2),
        ("distilled/sft/parts/2026/05/03.jsonl", 4),
        ("distilled/rag/parts/2026/05/03.jsonl", 1),
    ],
)
def test_a_line_of_the_newest_days_that_does_not_decode_is_named(finished: Any, path: str, line: int) -> None:
    finished.change(path, line, schema_version=2)
    found = finished.check("files_decode", deep=False)
    assert [(one["file"], one["line"]) for one in found.offenders] == [(path, line)]


@pytest.mark.parametrize(
    ("log", "data", "line"),
    [
        ("human_overrides", b'{"sig_hash":"a","category":"best","by":"x","reason":"y","at":"z"}\n', 1),
        ("audit_baselines", b"\n{}\n", 2),
        ("audit_baselines", b'{"schema"', 1),
        ("gate_waivers", b"\xff\n", 1),
    ],
)
def test_a_line_of_our_own_logs_that_does_not_decode_is_named(finished: Any, log: str, data: bytes, line: int) -> None:
    (finished.root / "_kb" / f"{log}.jsonl").write_bytes(data)
    found = finished.check("files_decode")
    assert [(one["file"], one["line"]) for one in found.offenders] == [(f"_kb/{log}.jsonl", line)]


def test_a_log_that_somebody_is_writing_to_is_no_error(finished: Any) -> None:
    (finished.root / "_kb" / "human_overrides.jsonl").write_bytes(b'{"sig_ha')
    assert finished.check("files_decode").status == "passed"


@pytest.mark.parametrize("path", ["index/days/score/2026-05-04.json", "gates/evidence/2026-05-04.json"])
def test_a_page_of_the_newest_days_that_does_not_decode_is_named(finished: Any, path: str) -> None:
    (finished.root / path).write_bytes(b'{\n  "schema_version": 1,\n  ?\n')
    report = finished.audit(deep=False)
    (found,) = next(one for one in report.checks if one.check == "files_decode").offenders
    assert (found["file"], found["line"]) == (path, 3)
    assert not report.passed


# Phase 2


def test_a_stream_that_has_rows_and_no_evidence_is_named(finished: Any) -> None:
    (finished.root / EVIDENCE).unlink()
    found = finished.check("evidence_present")
    assert [(one["file"], one["line"]) for one in found.offenders] == [(EVIDENCE, 0)]


def test_evidence_that_was_all_quarantined_is_no_missing_evidence(finished: Any) -> None:
    day = "2026-05-06"
    bad = {"file": "a", "ts": f"{day}T01:00:00Z", "verdict": 7}
    finished.append(day, {"observer_reviews": [bad]})
    finished.night("third", [day])
    report = finished.audit()
    assert report.passed
    assert day in report.days


@pytest.mark.parametrize(
    ("provenance", "why"),
    [
        ({"sig_hash": "ab"}, "SHA-256"),
        ({"line_offset": -1}, "offset"),
        ({"source_file": "_kb/audits.jsonl"}, "source file"),
        ({"recorded_at": ""}, "recorded"),
    ],
)
def test_provenance_that_is_not_whole_is_named(finished: Any, provenance: dict[str, Any], why: str) -> None:
    held = json.loads(finished.lines(EVIDENCE)[1])["provenance"]
    finished.change(EVIDENCE, 2, provenance={**held, **provenance})
    (found,) = finished.check("provenance_complete").offenders
    assert (found["file"], found["line"]) == (EVIDENCE, 2)
    assert why in found["why"]


@pytest.mark.parametrize("deep", [True, False])
def test_other_rows_on_disk_than_were_written_are_named(finished: Any, deep: bool) -> None:
    path = "evidence/2026/05/05/scrum_reviews.jsonl"
    finished.write(path, finished.lines(path)[:-1])
    (found,) = finished.check("rows_match_receipt", deep=deep).offenders
    assert (found["file"], found["line"]) == (path, 0)
    assert found["why"] == "it holds 2 rows, 3 were written"


def test_a_file_that_no_stage_wrote_is_named(finished: Any) -> None:
    path = "evidence/2026/05/05/outcomes.jsonl"
    finished.write(path, [b"{}\n"])
    assert [one["file"] for one in finished.check("rows_match_receipt").offenders] == [path]


# Phase 3


def test_evidence_without_its_verdict_is_named(finished: Any) -> None:
    finished.write(SCORED, finished.lines(SCORED)[:-1])
    found = finished.check("every_evidence_scored")
    assert [(one["file"], one["line"]) for one in found.offenders] == [(EVIDENCE, 3)]


def test_a_day_that_was_never_scored_is_named(finished: Any) -> None:
    (finished.root / "index/days/score/2026-05-02.json").unlink()
    found = finished.check("every_evidence_scored")
    assert [one["file"] for one in found.offenders] == ["scored-runs/2026/05/02"]


@pytest.mark.parametrize("reasons", [[], [""], ["  "]])
def test_a_verdict_without_a_reason_in_words_is_named(finished: Any, helpers: Any, reasons: list[str]) -> None:
    one, places = helpers.one, helpers.places
    finished.change(SCORED, 2, reasons=reasons)
    report = finished.audit()
    assert places(one(report, "reasons_present")) == [(SCORED, 2)]
    assert places(one(report, "every_evidence_scored")) == []


# Phase 4


def firewall(finished: Any) -> None:
    """Let the firewall look at what is published, as it is now."""
    lake = finished.lake
    with closing(connect(lake)) as connection:
        record(
            lake,
            EXPORT.asset,
            None,
            contamination_firewall(lake, EXPORT.main(lake), connection, NOW, include_partial=True),
        )


def test_what_no_firewall_looked_at_is_not_free_of_contamination(finished: Any) -> None:
    (finished.root / "gates/sft_export.json").unlink()
    (found,) = finished.check("zero_contamination").offenders
    assert found["file"] == "gates/sft_export.json"
    assert "no verdict" in found["why"]


@pytest.mark.parametrize("deep", [True, False])
def test_a_red_verdict_on_what_is_published_gives_its_offenders(finished: Any, deep: bool) -> None:
    finished.change(SFT, 2, category="rejected")
    firewall(finished)
    places = [(one["file"], one["line"]) for one in finished.check("zero_contamination", deep=deep).offenders]
    assert places == [(SFT, 2)]


def test_a_published_line_that_changed_is_named_once_and_the_gate_looks_again(finished: Any) -> None:
    finished.flip(SFT, 3, '"response":"')
    report = finished.audit(deep=False)
    assert [(one.check, one.offenders[0]["line"]) for one in report.failed] == [("receipts_valid", 3)]
    (found,) = [one for one in report.checks if one.check == "zero_contamination"]
    assert found.observed["looked_again"] == 25
    assert "not what was published" in found.why


@pytest.mark.parametrize("deep", [True, False])
def test_a_rejected_run_that_was_added_by_hand_is_named_as_that(finished: Any, deep: bool) -> None:
    scored = [json.loads(line) for line in finished.lines(SCORED)]
    run = next(one for one in scored if one["category"] == "rejected")
    sample = json.loads(finished.lines(SFT)[0]) | {
        "provenance": run["provenance"],
        "source_run_id": run["evidence_run_id"],
        "task_id": run["evidence_task_id"],
    }
    finished.write(SFT, [*finished.lines(SFT), json.dumps(sample).encode() + b"\n"])
    report = finished.audit(deep=deep)
    whys = {one.check: [(x["line"], x["why"]) for x in one.offenders if x["file"] == SFT] for one in report.failed}
    assert whys["zero_contamination"] == [(26, "its run is rejected")]
    assert [line for line, _ in whys["receipts_valid"]] == [26]
    assert set(whys) == {"zero_contamination", "receipts_valid"}


def test_a_verdict_on_what_was_published_before_fails(finished: Any) -> None:
    path = f"gates/{EXPORT.asset}.json"
    held = json.loads((finished.root / path).read_bytes())
    reseal(finished.root / path, {**held, "verdicts": [{**one, "input_sha256": "0"} for one in held["verdicts"]]})
    (found,) = finished.check("zero_contamination", deep=False).offenders
    assert (found["file"], found["line"]) == (SFT, 0)
    assert "another file" in found["why"]


def test_a_deep_audit_asks_the_gate_itself(finished: Any) -> None:
    """A verdict that was made green by hand does not help: the rejected run is found again."""
    path = "scored-runs/2026/05/03/scrum_reviews.jsonl"
    finished.change(path, 1, category="rejected")
    assert finished.check("zero_contamination", deep=False).status == "passed"
    found = finished.check("zero_contamination", deep=True)
    assert found.status == "failed"
    assert all(one["file"] == SFT and one["line"] for one in found.offenders)


def test_a_published_file_that_is_gone_fails(finished: Any) -> None:
    (finished.root / SFT).unlink()
    assert finished.check("zero_contamination").offenders[0]["why"] == "the published file is gone"


def test_other_rows_than_were_published_fail(finished: Any) -> None:
    finished.edit(PUBLICATION, items_out=26)
    (found,) = finished.check("sft_nonempty_or_explained").offenders
    assert (found["file"], found["why"]) == (SFT, "it holds 25 samples, 26 were published")
    finished.write(SFT, [])
    (found,) = finished.check("sft_nonempty_or_explained").offenders
    assert (found["file"], found["why"]) == (SFT, "it holds 0 samples, 26 were published")


@pytest.mark.parametrize(
    ("reasons", "status"),
    [({"rejected": 30, "not_instructable": 11}, "passed"), ({"rejected": 30}, "failed"), ({}, "failed")],
)
def test_an_empty_export_says_where_every_run_went(finished: Any, reasons: dict[str, int], status: str) -> None:
    finished.write(SFT, [])
    finished.edit(PUBLICATION, items_out=0, skip_reasons=reasons, records_quarantined=0)
    found = finished.check("sft_nonempty_or_explained", deep=False)
    assert found.status == status
    assert "empty" in found.why


def test_counters_of_the_firewall_that_do_not_add_up_inform(finished: Any) -> None:
    held = json.loads((finished.root / PUBLICATION).read_bytes())["counts"]
    finished.edit(PUBLICATION, counts={**held, "firewall": {**held["firewall"], "rejected": 9}})
    report = finished.audit(deep=False)
    found = next(one for one in report.checks if one.check == "firewall_counters")
    assert (found.required, found.status, report.passed) == (False, "failed", True)
    assert "rejected: it counts 9 runs, the days 10" in found.offenders[0]["why"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"passed": False, "severity": "ERROR"}, "red"),
        ({"input_sha256": "0"}, "stale"),
        ({"check": "other"}, "missing"),
    ],
)
def test_verdicts_that_do_not_stand_inform(finished: Any, change: dict[str, Any], why: str) -> None:
    path = "gates/evidence/2026-05-02.json"
    held = json.loads((finished.root / path).read_bytes())["verdicts"]
    wanted = [{**one, **change} if one["check"] == "receipt_balances" else one for one in held]
    reseal(finished.root / path, {**json.loads((finished.root / path).read_bytes()), "verdicts": wanted})
    found = finished.check("verdicts_green")
    assert (found.required, found.status) == (False, "failed")
    assert {one["file"] for one in found.offenders} == {path}
    assert any(why in one["why"] for one in found.offenders)


# Phase 5


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"run_hash": "f" * 64}, "not the one that the receipts give"),
        ({"run_hash": "ff"}, "no SHA-256"),
        ({"git_commit": "main"}, "no commit"),
        ({"stages": ["collect", "score", "export-sft", "export-rag"]}, "lacks export-preference"),
        ({"run_id": "other"}, "another run"),
    ],
)
def test_a_summary_that_cannot_be_right_is_named(finished: Any, fields: dict[str, Any], why: str) -> None:
    finished.edit(f"{RUN}/summary.json", **fields)
    found = finished.check("summary_valid")
    assert {one["file"] for one in found.offenders} == {f"{RUN}/summary.json"}
    (named,) = [one for one in found.offenders if why in one["why"]]
    line = (finished.root / RUN / "summary.json").read_text().splitlines()[named["line"] - 1]
    assert f'"{next(iter(fields))}"' in line


def test_a_damaged_receipt_is_blamed_and_not_the_summary(finished: Any) -> None:
    finished.edit(f"{RUN}/receipts/score.json", records_out=99)
    report = finished.audit()
    assert [one.check for one in report.failed] == ["receipts_valid"]
    assert {one["file"] for one in report.failed[0].offenders} == {f"{RUN}/receipts/score.json"}
    (summary,) = [one for one in report.checks if one.check == "summary_valid"]
    assert "receipts of score: they are damaged, not the summary" in summary.why


@pytest.mark.parametrize("deep", [True, False])
def test_days_without_any_summary_fail_and_ask_for_the_folder(finished: Any, deep: bool) -> None:
    shutil.rmtree(finished.root / "reports/distillation")
    found = finished.check("summary_valid", deep=deep)
    why = f"no run's summary lies in {finished.reports}: is it the right folder? (--reports)"
    assert (found.status, found.why) == ("failed", why)


def test_a_count_that_is_not_that_of_the_receipt_is_named(finished: Any) -> None:
    held = json.loads((finished.root / RUN / "summary.json").read_bytes())["counts"]
    finished.edit(f"{RUN}/summary.json", counts={**held, "score.out": 9})
    (found,) = finished.check("summary_valid").offenders
    assert "receipt of score" in found["why"]


@pytest.mark.parametrize("data", [b"{", b'{"schema_version":2}'])
def test_a_summary_that_cannot_be_read_fails_whichever_run_it_is_of(finished: Any, data: bytes) -> None:
    (finished.root / "reports/distillation/first/summary.json").write_bytes(data)
    (found,) = finished.check("summary_valid", deep=False).offenders
    assert found["file"] == "reports/distillation/first/summary.json"


def unseal(finished: Any) -> None:
    held = json.loads((finished.root / RUN / "summary.json").read_bytes())
    del held["receipts"]
    (finished.root / RUN / "summary.json").write_bytes(msgspec.json.encode(held))


def test_an_old_summary_without_seals_says_so_and_does_not_fail(finished: Any) -> None:
    unseal(finished)
    found = finished.check("receipts_valid")
    assert (found.status, found.observed["unsealed"]) == ("passed", 1)
    assert "no seals" in found.why


@pytest.mark.parametrize("sealed", [True, False])
def test_a_receipt_that_is_gone_is_named(finished: Any, sealed: bool) -> None:
    if not sealed:
        unseal(finished)
    (finished.root / RUN / "receipts/score.json").unlink()
    found = finished.check("receipts_valid").offenders
    assert [(one["file"], one["why"]) for one in found] == [(f"{RUN}/receipts/score.json", "the receipt is gone")]


@pytest.mark.parametrize(
    ("fields", "key", "why"),
    [
        ({"records_in": 99}, "records_in", "99 in, but"),
        ({"records_skipped": 1}, "records_skipped", "its reasons add up to 0"),
        ({"stage": "collect"}, "stage", "another run or stage"),
        ({"run_id": "first"}, "run_id", "another run or stage"),
    ],
)
def test_a_receipt_without_a_seal_is_held_against_itself(
    finished: Any, fields: dict[str, Any], key: str, why: str
) -> None:
    unseal(finished)
    path = f"{RUN}/receipts/score.json"
    finished.edit(path, **fields)
    found = [one for one in finished.check("receipts_valid").offenders if why in one["why"]]
    assert [one["file"] for one in found] == [path]
    assert f'"{key}"' in (finished.root / path).read_text().splitlines()[found[0]["line"] - 1]


def test_a_receipt_that_does_not_decode_is_named_with_the_line(finished: Any) -> None:
    unseal(finished)
    (finished.root / RUN / "receipts/score.json").write_bytes(b'{\n  "schema_version": 1,\n  "run_id": ?\n}\n')
    (found,) = finished.check("receipts_valid").offenders
    assert (found["file"], found["line"]) == (f"{RUN}/receipts/score.json", 3)


@pytest.mark.parametrize("field", ["sha256", "line_crc32"])
def test_a_seal_that_changed_is_blamed_and_not_its_receipt(finished: Any, field: str) -> None:
    held = json.loads((finished.root / RUN / "summary.json").read_bytes())["receipts"]
    value = held["score"][field]
    held["score"][field] = ("1" if value[0] == "0" else "0") + value[1:]
    finished.edit(f"{RUN}/summary.json", receipts=held)
    (found,) = finished.check("receipts_valid").offenders
    assert found["file"] == f"{RUN}/summary.json"
    assert held["score"][field] in (finished.root / RUN / "summary.json").read_text().splitlines()[found["line"] - 1]


def test_a_file_that_is_gone_is_named(finished: Any) -> None:
    (finished.root / "distilled/preference/kto.jsonl").unlink()
    found = finished.check("receipts_valid", deep=False).offenders
    assert [(one["file"], one["why"]) for one in found] == [("distilled/preference/kto.jsonl", "the file is gone")]


def test_a_file_that_a_later_run_rewrote_is_no_error(finished: Any) -> None:
    late = {
        "file": "late.rs",
        "model": "x/grok",
        "suggestions": "late words of one",
        "reviewed_at": "2026-05-05T23:00:00Z",
    }
    finished.append("2026-05-05", {"scrum_reviews": [{**late, "accepted_on_attempt": 1, "attempts_made": 1}]})
    finished.night("third", ["2026-05-05"])
    shutil.rmtree(finished.root / "reports/distillation/third")
    found = finished.check("receipts_valid")
    assert found.status == "passed"
    assert found.observed["rewritten_since"] > 3


def test_a_run_that_was_stopped_since_informs(finished: Any) -> None:
    shutil.copytree(finished.root / RUN, finished.root / "reports/distillation/third")
    finished.edit("reports/distillation/third/summary.json", run_id="third", status="stopped", finished_at="2026-05-11")
    report = finished.audit(deep=False)
    assert (report.passed, report.audited_run_id) == (True, "second")
    (found,) = next(one for one in report.checks if one.check == "newest_run_finished").offenders
    assert found["file"] == "reports/distillation/third/summary.json"


# Phases 6 and 7


def test_a_red_acceptance_gate_fails_and_gives_its_offenders(finished: Any) -> None:
    table = [{"number": number, "verdict": "holds" if number else "failed"} for number in range(3)]
    offenders = [{"file": "evidence/x.jsonl", "line": 4, "why": "7 of late rows: lost"}]
    red = green(passed=False, offenders=offenders, summary="1 of 3 fails", tables={"invariants": table})
    report = finished.audit(acceptance=lambda: red)
    found = next(one for one in report.checks if one.check == "invariants_hold")
    assert (found.status, found.offenders, found.why) == ("failed", offenders, "1 of 3 fails")
    assert report.observed == {"p6_invariants_passed": 2}
    assert not report.passed


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (b"{\n", "no JSON"),
        (replay(schema="session.iterate.v1"), "replay_run.v1"),
        (b"[]\n", "replay_run.v1"),
        (replay(producer="python"), "no replay as this runtime writes them"),
        (
            msgspec.json.encode({**msgspec.to_builtins(answered()), "escalated": "no"}) + b"\n",
            "no replay as this runtime",
        ),
    ],
)
def test_a_replay_that_cannot_be_read_is_named_among_the_last_fifty(finished: Any, row: bytes, why: str) -> None:
    ours = msgspec.json.encode(answered()) + b"\n"
    old = [row, *[replay()] * 48, ours]
    path = finished.root / "_kb" / "replay_runs.jsonl"
    path.write_bytes(b"".join([*old, row, *[replay()] * 9, b"torn"]))
    report = finished.audit()
    (found,) = next(one for one in report.checks if one.check == "replay_log_valid").offenders
    assert (found["file"], found["line"]) == ("_kb/replay_runs.jsonl", 51)
    assert why in found["why"]
    assert report.observed["p7_replays"] == 49
