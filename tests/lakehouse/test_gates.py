"""Gates: each is green on a sound day, and red for the fault that it is there for, naming file and line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lakehouse.errors import LakehouseError, RecordError
from lakehouse.gates import daily
from lakehouse.gates.verdicts import MISSING, REQUIRED, UNSEEN, read_verdicts, record, verdict, why_held
from tests.lakehouse.conftest import reseal

DAY, NEXT = "2026-05-01", "2026-05-02"
NOW, LATER = "2026-05-10T02:00:00.000Z", "2026-06-01T02:00:00.000Z"
PLACE = "2026/05/01/agent_runs.jsonl"
Lines = list[bytes]


def run(n: int, day: str = DAY, **more: Any) -> dict[str, Any]:
    return {"run_id": f"r{n}", "prompt": f"p{n}", "response": f"a{n}", "passed": True, "ts": f"{day}T10:00:00Z", **more}


@pytest.fixture
def made(lab: Any) -> Any:
    """A lake with three runs on one day and one on the next, up to date."""
    lab.write("agent_runs", run(0), run(1), run(2), run(3, NEXT))
    lab.make()
    return lab


def edit(path: Path, change: Callable[[Lines], Lines]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in change(path.read_bytes().splitlines())))


def replaced(number: int, old: bytes, new: bytes) -> Callable[[Lines], Lines]:
    def change(lines: Lines) -> Lines:
        assert old in lines[number]
        return [*lines[:number], lines[number].replace(old, new), *lines[number + 1 :]]

    return change


def red(found: list[Any], check: str) -> Any:
    verdicts = [one for one in found if one.check == check]
    assert verdicts, [one.check for one in found]
    return verdicts[0]


def places(one: Any) -> list[tuple[str, int]]:
    return [(offender["file"], offender["line"]) for offender in one.offenders]


def test_a_sound_day_is_green(made: Any) -> None:
    assert made.gate([DAY, NEXT]) == []
    assert why_held(made.lake, DAY) is None
    found = read_verdicts(made.lake, "evidence", DAY)
    assert set(found) == set(REQUIRED["evidence"])
    assert found["provenance_resolves"].rows_checked == found["receipt_balances"].rows_checked == 3


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (replaced(1, b'"sig_hash":"', b'"sig_hash":"0'), 2),
        (replaced(2, b'"line_offset":2', b'"line_offset":1'), 3),
        (replaced(0, b'"line_offset":0', b'"line_offset":99'), 1),
        (replaced(0, b'"line_offset":0', b'"line_offset":-1'), 1),
        (replaced(1, b"_kb/agent_runs.jsonl", b"_kb/audits.jsonl"), 2),
        (replaced(1, b"_kb/agent_runs.jsonl", b"../etc/passwd"), 2),
        (lambda lines: [lines[0], b"{", lines[2]], 2),
        (lambda lines: [lines[0], b'{"provenance":{}}', lines[2]], 2),
    ],
    ids=["hash", "offset", "beyond", "negative", "file", "outside", "broken", "empty"],
)
def test_evidence_that_does_not_resolve_to_its_row_is_red(made: Any, change: Any, line: int) -> None:
    edit(made.root / "evidence" / PLACE, change)
    one = red(made.gate([DAY]), "provenance_resolves")
    assert places(one) == [(f"evidence/{PLACE}", line)]
    assert "provenance_resolves" in (why_held(made.lake, DAY) or "")


def test_a_row_that_changed_under_its_evidence_is_red(made: Any) -> None:
    edit(made.root / "_kb/agent_runs.jsonl", replaced(1, b'"a1"', b'"b1"'))
    assert places(red(made.gate([DAY]), "provenance_resolves")) == [(f"evidence/{PLACE}", 2)]


def test_a_stream_that_lost_its_rows_is_red(made: Any) -> None:
    (made.root / "_kb/agent_runs.jsonl").write_bytes(b"")
    assert not red(made.gate([DAY]), "provenance_resolves").passed


def test_provenance_that_other_runtimes_wrote_resolves_too(made: Any) -> None:
    edit(
        made.root / "evidence" / PLACE,
        lambda lines: [line.replace(b'"_kb/agent_runs', b'"data/_kb/agent_runs') for line in lines],
    )
    assert "provenance_resolves" not in [one.check for one in made.gate([DAY])]


def test_a_big_day_is_sampled_the_same_way_each_time(lab: Any) -> None:
    lab.write("agent_runs", *(run(n) for n in range(60)))
    lab.make()
    one = daily.provenance_resolves(lab.lake, DAY, NOW, limit=20)
    assert (one.passed, one.rows_checked) == (True, 20)
    edit(
        lab.root / "evidence" / PLACE, lambda lines: [line.replace(b'"sig_hash":"', b'"sig_hash":"0') for line in lines]
    )
    first, again = (daily.provenance_resolves(lab.lake, DAY, NOW, limit=20) for _ in range(2))
    assert len(first.offenders) == 20
    assert first == again


@pytest.mark.parametrize(
    ("asset", "path"),
    [
        ("evidence", f"evidence/{PLACE}"),
        ("scored_runs", f"scored-runs/{PLACE}"),
        ("sft_samples", "distilled/sft/parts/2026/05/01.jsonl"),
    ],
)
@pytest.mark.parametrize("fault", ["bit", "cut", "gone"])
def test_a_file_that_is_not_what_was_written_is_red(made: Any, asset: str, path: str, fault: str) -> None:
    file = made.root / path
    data = bytearray(file.read_bytes())
    if fault == "gone":
        file.unlink()
    elif fault == "cut":
        file.write_bytes(data[:-1])
    else:
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    one = daily.receipt_balances(made.lake, asset, DAY, NOW)
    assert not one.passed
    assert [offender["file"] for offender in one.offenders] == [path]


@pytest.mark.parametrize("asset", ["evidence", "scored_runs", "sft_samples"])
@pytest.mark.parametrize("field", ["records_in", "records_out", "records_quarantined"])
def test_a_receipt_that_does_not_balance_is_red(made: Any, asset: str, field: str) -> None:
    stage = {"evidence": "collect", "scored_runs": "score", "sft_samples": "export-sft"}[asset]
    path = made.lake.manifest(stage, DAY)
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, field: manifest[field] + 1}))
    one = daily.receipt_balances(made.lake, asset, DAY, NOW)
    assert not one.passed
    assert one.offenders[0]["file"] == f"index/days/{stage}/{DAY}.json"


EVIDENCE, SCORED = f"evidence/{PLACE}", f"scored-runs/{PLACE}"


@pytest.mark.parametrize(
    ("folder", "change", "place"),
    [
        ("scored-runs", lambda lines: lines[:2], (EVIDENCE, 3)),
        ("evidence", lambda lines: lines[:2], (SCORED, 3)),
        ("scored-runs", lambda lines: [lines[0], lines[2], lines[1]], (SCORED, 2)),
        ("scored-runs", lambda lines: [*lines, lines[2]], (SCORED, 4)),
        ("scored-runs", lambda lines: lines[1:], (EVIDENCE, 1)),
        ("scored-runs", lambda lines: [lines[0], lines[0], *lines[1:]], (SCORED, 2)),
        ("evidence", lambda lines: lines[1:], (SCORED, 1)),
        ("scored-runs", replaced(1, b'"evidence_run_id":"r1"', b'"evidence_run_id":"r9"'), (SCORED, 2)),
        ("scored-runs", replaced(1, b'"category":"accepted"', b'"category":"great"'), (SCORED, 2)),
        ("scored-runs", lambda lines: [json.dumps({**json.loads(lines[0]), "reasons": []}).encode(), *lines[1:]], (SCORED, 1)),
        ("scored-runs", lambda lines: [lines[0], b"{", lines[2]], (SCORED, 2)),
        ("evidence", lambda lines: [lines[0], b"{", lines[2]], (EVIDENCE, 2)),
    ],
    ids=["verdict-gone", "evidence-gone", "swapped", "twice", "first-gone", "first-twice", "first-evidence-gone", "run", "category", "reason", "broken", "evidence-broken"],
)  # fmt: skip
def test_evidence_without_its_one_verdict_is_red(made: Any, folder: str, change: Any, place: tuple[str, int]) -> None:
    edit(made.root / folder / PLACE, change)
    one = red(made.gate([DAY]), "one_verdict_each")
    assert places(one)[0] == place
    assert one.offenders[0]["why"]
    assert len(one.offenders) == (2 if "not on" in one.offenders[0]["why"] else 1)


def test_rows_are_named_by_their_line_from_1(made: Any) -> None:
    edit(made.root / "scored-runs" / PLACE, lambda lines: [lines[0], lines[2], lines[1]])
    one = red(made.gate([DAY]), "one_verdict_each")
    why = "the verdict is on _kb/agent_runs.jsonl:3, not on _kb/agent_runs.jsonl:2"
    assert one.offenders[0]["why"] == why
    edit(made.root / "evidence" / PLACE, replaced(0, b'"line_offset":0', b'"line_offset":99'))
    (offender,) = red(made.gate([DAY]), "provenance_resolves").offenders
    assert offender["source"] == "_kb/agent_runs.jsonl:100"


@pytest.mark.parametrize("folder", ["evidence", "scored-runs"])
def test_a_file_without_its_counterpart_is_red(made: Any, folder: str) -> None:
    (made.root / folder / PLACE).unlink()
    assert len(red(made.gate([DAY]), "one_verdict_each").offenders) == 3


def test_at_most_a_hundred_offenders_are_kept() -> None:
    one = verdict(
        "x",
        passed=False,
        rows_checked=500,
        summary="s",
        offenders=({"line": n} for n in range(500)),
        input_sha256="",
        code_version="1",
        checked_at=NOW,
    )
    assert len(one.offenders) == 100
    assert one.severity == "ERROR"


@pytest.mark.parametrize("gate", [daily.provenance_resolves, daily.one_verdict_each])
def test_a_gate_on_a_day_that_was_never_made_is_an_error(lab: Any, gate: Any) -> None:
    with pytest.raises(RecordError, match=DAY):
        gate(lab.lake, DAY, NOW)


# What publishing concludes.


def test_a_day_is_held_until_every_gate_has_looked(made: Any) -> None:
    lake = made.lake
    assert why_held(lake, DAY) == f"evidence/provenance_resolves: {MISSING}"
    made.gate([DAY])
    assert why_held(lake, DAY) is None
    assert "missing" in (why_held(lake, NEXT) or "")
    assert why_held(lake, "2026-05-03") == "evidence: not made yet"


@pytest.mark.parametrize("asset", list(REQUIRED))
def test_a_verdict_on_other_data_is_stale_and_holds_the_day(made: Any, asset: str) -> None:
    made.gate([DAY])
    path = made.lake.gate(asset, DAY)
    held = json.loads(path.read_text())
    held["verdicts"][0]["input_sha256"] = "0" * 64
    reseal(path, held)
    assert "stale" in (why_held(made.lake, DAY) or "")


def test_a_day_that_was_made_again_from_more_rows_is_stale_until_the_gates_look(made: Any) -> None:
    made.gate([DAY])
    made.write("agent_runs", run(9))
    made.make()
    assert "stale" in (why_held(made.lake, DAY) or "")
    made.gate([DAY])
    assert why_held(made.lake, DAY) is None


def test_a_red_verdict_holds_the_day_with_its_summary(made: Any) -> None:
    made.gate([DAY])
    lake = made.lake
    old = read_verdicts(lake, "scored_runs", DAY)["one_verdict_each"]
    old.passed, old.summary = False, "2 of 3 lack their verdict"
    record(lake, "scored_runs", DAY, old)
    assert why_held(lake, DAY) == "scored_runs/one_verdict_each: red, 2 of 3 lack their verdict"


@pytest.mark.parametrize(
    ("data", "after"), [("", f"; {UNSEEN}"), ("0" * 64, "; stale, the data changed after the gate looked at it")]
)
def test_a_red_verdict_says_first_that_it_is_red_whatever_it_looked_at(made: Any, data: str, after: str) -> None:
    made.gate([DAY])
    old = read_verdicts(made.lake, "scored_runs", DAY)["one_verdict_each"]
    old.passed, old.summary, old.input_sha256 = False, "the keys are gone", data
    record(made.lake, "scored_runs", DAY, old)
    assert why_held(made.lake, DAY) == f"scored_runs/one_verdict_each: red, the keys are gone{after}"


def hand(held: dict[str, Any], **change: Any) -> bytes:
    return json.dumps({**held, **change}).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda held: hand(held, verdicts=[{**one, "passed": True} for one in held["verdicts"]]),
        lambda held: hand(held, verdicts=[{**one, "summary": "fine"} for one in held["verdicts"]]),
        lambda held: hand(held, partition=NEXT),
        lambda held: hand(held, seal=None),
        lambda held: hand(held, seal="0" * 64),
        lambda held: b'{"schema_version": 1, "verd',
        lambda held: b"\xff",
        lambda held: b"",
    ],
    ids=["green", "summary", "day", "no seal", "other seal", "cut", "no text", "empty"],
)
def test_a_file_that_was_changed_by_hand_is_not_there_and_is_written_anew(made: Any, change: Any) -> None:
    made.gate([DAY])
    lake, path = made.lake, made.lake.gate("evidence", DAY)
    one = read_verdicts(lake, "evidence", DAY)["contract"]
    record(lake, "evidence", DAY, msgspec.structs.replace(one, passed=False, summary="a field is null"))
    path.write_bytes(change(json.loads(path.read_text())))
    assert read_verdicts(lake, "evidence", DAY) == {}
    assert why_held(lake, DAY) == f"evidence/provenance_resolves: {MISSING}"
    made.gate([DAY])
    assert set(read_verdicts(lake, "evidence", DAY)) == set(REQUIRED["evidence"])
    assert why_held(lake, DAY) is None


def test_a_file_of_another_day_is_not_there(made: Any) -> None:
    made.gate([DAY])
    path = made.lake.gate("evidence", NEXT)
    path.write_bytes(made.lake.gate("evidence", DAY).read_bytes())
    assert read_verdicts(made.lake, "evidence", NEXT) == {}


def test_a_warning_holds_no_day(made: Any) -> None:
    made.gate([DAY])
    old = read_verdicts(made.lake, "scored_runs", DAY)["one_verdict_each"]
    old.passed, old.severity = False, "WARN"
    record(made.lake, "scored_runs", DAY, old)
    assert why_held(made.lake, DAY) is None


def test_the_same_verdict_on_the_same_data_keeps_its_stamp(made: Any) -> None:
    made.gate([DAY], NOW)
    before = made.tree("gates")
    made.gate([DAY], LATER)
    assert made.tree("gates") == before
    made.write("agent_runs", run(9))
    made.make()
    made.gate([DAY], LATER)
    assert {one.checked_at for one in read_verdicts(made.lake, "evidence", DAY).values()} == {LATER}


# The firewall's third place, on a published file.


@pytest.fixture
def published(lab: Any) -> Any:
    lab.write("agent_runs", run(0), run(1), run(2, passed=False), run(3, reward=0.5, passed=None))
    lab.write("distilled_facts", {"source_run_id": "s", "text": "t", "confidence": 1, "ts": f"{DAY}T10:00:00Z"})
    lab.make()
    lab.gate([DAY])
    lab.publish()
    assert [sample["source_run_id"] for sample in lab.published()] == ["r0", "r1"]
    return lab


def test_a_clean_file_is_green(published: Any) -> None:
    one = published.firewall()
    assert (one.passed, one.rows_checked, one.offenders) == (True, 2, [])


def test_an_empty_file_is_green_and_says_that_nothing_was_looked_at(lab: Any) -> None:
    lab.publish()
    one = lab.firewall()
    assert (one.passed, one.rows_checked) == (True, 0)
    assert "0 samples" in one.summary


def as_if(published: Any, run_id: str, **claims: Any) -> Callable[[Lines], Lines]:
    """Give an edit that makes the second sample claim to come from another run."""
    record = next(one for one in published.evidence() if one["run_id"].startswith(run_id))

    def change(lines: Lines) -> Lines:
        sample = json.loads(lines[1])
        sample["provenance"] = record["provenance"]
        sample["source_run_id"], sample["task_id"] = record["run_id"], record["task_id"]
        return [lines[0], json.dumps({**sample, **claims}).encode()]

    return change


@pytest.mark.parametrize(
    ("run_id", "claims", "why"),
    [
        ("r2", {}, "rejected"),
        ("r3", {}, "partially_accepted"),
        ("r3", {"category": "partially_accepted", "quality_score": 0.5}, "not asked for"),
        ("distilled_facts", {}, "extraction"),
        ("r0", {"source_run_id": "r7"}, "r7"),
        ("r0", {"task_id": "other"}, ""),
        ("r0", {"category": "partially_accepted"}, "partially_accepted"),
        ("r0", {"provenance": {"source_file": "_kb/x.jsonl", "line_offset": 0, "sig_hash": "0"}}, "no verdict"),
    ],
)
def test_a_sample_that_must_not_be_there_is_named(published: Any, run_id: str, claims: Any, why: str) -> None:
    path = published.lake.sft / "sft_export.jsonl"
    edit(path, as_if(published, run_id, **claims))
    one = published.firewall()
    assert not one.passed
    assert places(one) == [("distilled/sft/sft_export.jsonl", 2)]
    assert why in one.offenders[0]["why"]


def test_a_verdict_that_turned_is_seen_in_the_published_file(published: Any) -> None:
    edit(published.root / SCORED, replaced(1, b'"category":"accepted"', b'"category":"needs_human_review"'))
    one = published.firewall()
    assert places(one) == [("distilled/sft/sft_export.jsonl", 2)]
    assert "needs_human_review" in one.offenders[0]["why"]


def test_a_run_that_was_judged_twice_is_seen_in_the_published_file(published: Any) -> None:
    published.write("agent_runs", run(1, NEXT, passed=False))
    published.make()
    one = published.firewall()
    assert places(one) == [("distilled/sft/sft_export.jsonl", 2)]
    assert "conflict" in one.offenders[0]["why"]


def test_samples_without_any_verdict_in_the_lake_are_red(published: Any) -> None:
    (published.root / SCORED).unlink()
    (published.root / "scored-runs/2026/05/01/distilled_facts.jsonl").unlink()
    assert len(published.firewall().offenders) == 2


@pytest.mark.parametrize("damage", [b"{\n", b'{"id":', b"[]\n", b"\xff\n"])
def test_a_published_file_that_cannot_be_read_is_red_or_an_error_that_names_it(published: Any, damage: bytes) -> None:
    path = published.lake.sft / "sft_export.jsonl"
    path.write_bytes(path.read_bytes() + damage)
    try:
        passed = published.firewall().passed
    except LakehouseError as error:
        assert "sft_export.jsonl" in str(error)  # noqa: PT017 - either answer will do
        passed = False
    assert not passed
