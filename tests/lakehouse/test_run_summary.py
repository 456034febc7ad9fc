"""Receipts and the run summary: what a run read, wrote and left out, whatever happened to it."""

from __future__ import annotations

import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from lakehouse import summary
from lakehouse.chain import day as chain
from lakehouse.errors import GateFailed, UsageError
from lakehouse.files import sha256_of
from lakehouse.gates.verdicts import REQUIRED, REQUIRED_OF_EXPORTS
from lakehouse.jsonl import read_json
from lakehouse.records import FileRef, Receipt, RunSummary
from lakehouse.run import NO_COMMIT, STAGES, Stage, run_hash

DAY, NEXT = "2026-05-01", "2026-05-02"
NOW, LATER = "2026-05-10T02:00:00.000Z", "2026-06-01T02:00:00.000Z"


def run(n: int, day: str = DAY, **more: Any) -> dict[str, Any]:
    return {"run_id": f"r{n}", "prompt": f"p{n}", "response": f"a{n}", "passed": True, "ts": f"{day}T10:00:00Z", **more}


def fill(lab: Any) -> None:
    """Write a row of every fate: accepted, partial, rejected, for review, twice, refused, empty, secret."""
    lab.write(
        "agent_runs",
        run(0),
        run(1, passed=None, reward=0.5),
        run(2, passed=False),
        run(3, passed=None),
        run(0),
        {**run(4), "cost_usd": "free"},
        run(5, prompt=""),
        run(6, response="my ssn is 219-09-9999"),
        run(7, NEXT),
        run(8, "2026-12-01"),
    )


def test_the_receipts_of_a_run_balance_and_name_what_was_written(lab: Any) -> None:
    fill(lab)
    lab.night(rag=True)
    receipts = lab.run("night").receipts()
    assert tuple(receipts) == STAGES[:4]
    for receipt in receipts.values():
        assert receipt.status == "ok"
        assert receipt.records_skipped == sum(receipt.skip_reasons.values())
        accounted = receipt.records_out + receipt.records_skipped + receipt.records_quarantined
        assert receipt.records_in == accounted
        for ref in receipt.outputs:
            path = lab.root / ref.path
            rows = path.read_bytes().count(b"\n") if path.suffix == ".jsonl" else pq.read_metadata(path).num_rows
            assert (ref.sha256, ref.bytes, ref.rows) == (sha256_of(path), path.stat().st_size, rows)
    assert {stage: (one.records_in, one.records_out, one.records_quarantined) for stage, one in receipts.items()} == {
        "collect": (9, 7, 1),
        "score": (7, 7, 0),
        "export-sft": (7, 2, 1),
        "export-rag": (7, 4, 1),
    }
    assert receipts["collect"].skip_reasons == {"duplicate": 1}
    assert receipts["export-sft"].skip_reasons == {
        "needs_human_review": 1,
        "not_instructable": 1,
        "partial_not_requested": 1,
        "rejected": 1,
    }


def test_the_inputs_of_collect_are_the_days_rows(lab: Any) -> None:
    path = lab.write("agent_runs", run(0), run(1))
    lab.night()
    (ref,) = lab.run("night").receipts()["collect"].inputs
    assert (ref.path, ref.rows, ref.bytes, ref.sha256) == (
        "_kb/agent_runs.jsonl",
        2,
        path.stat().st_size,
        sha256_of(path),
    )


def test_a_summary_says_what_came_of_the_rows(lab: Any) -> None:
    fill(lab)
    found = lab.night(rag=True)
    assert (found.status, found.error, found.failed_gates, found.held_days) == ("ok", None, [], {})
    assert (found.partition, found.stages, found.git_commit) == (f"{DAY}...{NEXT}", list(STAGES[:4]), NO_COMMIT)
    assert {
        name: found.counts[name] for name in ("accepted", "partially_accepted", "rejected", "needs_human_review")
    } == {
        "accepted": 4,
        "partially_accepted": 1,
        "rejected": 1,
        "needs_human_review": 1,
    }
    assert found.firewall.by_category == {"rejected": 1, "needs_human_review": 1, "conflicting_verdicts": 0}
    assert found.firewall.blocked == 2
    assert (found.checks.failed, found.checks.warned) == (0, 1)  # nothing is held out
    daily = sum(map(len, REQUIRED.values()))
    exports = sum(len(REQUIRED_OF_EXPORTS[asset]) for asset in ("sft_export", "rag_export"))
    assert found.checks.passed == 2 * daily + exports - 1
    assert read_json(lab.root / "reports/distillation/night/summary.json", RunSummary) == found


@pytest.mark.parametrize(("days", "partition"), [([], ""), ([DAY], DAY), ([NEXT, DAY], f"{DAY}...{NEXT}")])
def test_a_summary_names_its_days(lab: Any, days: list[str], partition: str) -> None:
    assert summary.summarize(lab.lake, lab.run("x"), days).partition == partition


def test_the_rows_of_days_to_come_are_counted(lab: Any) -> None:
    found = summary.summarize(lab.lake, lab.run("x"), [], waiting_future=3)
    assert found.counts == {"days": 0, "waiting_future": 3}


def test_a_stage_that_fails_leaves_a_failed_receipt_and_its_error_goes_on(lab: Any) -> None:
    run_ = lab.run("broken")

    def fail(name: str) -> None:
        with Stage(run_, name):
            raise GateFailed("it is red")

    with pytest.raises(GateFailed):
        fail("score")
    receipt = read_json(run_.receipt_path("score"), Receipt)
    assert receipt is not None
    assert receipt.status == "failed"
    assert "it is red" in (receipt.error or "")
    assert receipt.finished_at == NOW
    found = summary.summarize(lab.lake, run_, [DAY])
    assert (found.status, found.stages) == ("stopped", ["score"])
    assert "score: GateFailed: it is red" in (found.error or "")


def test_an_interrupted_stage_leaves_a_failed_receipt(lab: Any) -> None:
    run_ = lab.run("interrupted")

    def interrupt() -> None:
        with Stage(run_, "collect"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert run_.receipts()["collect"].status == "failed"


def test_a_run_that_a_gate_stopped_has_a_summary_that_names_gate_and_days(lab: Any) -> None:
    lab.write("agent_runs", run(0), run(1, NEXT))
    lab.index()
    days = list(lab.stale())
    run_ = lab.run("stopped")
    with Stage(run_, "collect") as stage:
        stage.days(chain.collect(lab.lake, days, NOW))
    with Stage(run_, "score") as stage:
        stage.days(chain.score_days(lab.lake, days, NOW))
    chain.make_samples(lab.lake, days, NOW)
    chain.make_chunks(lab.lake, days, NOW)
    path = lab.root / "scored-runs/2026/05/01/agent_runs.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"category":"accepted"', b'"category":"great"'))
    lab.gate(days)
    found = summary.summarize(lab.lake, run_, days, error="a gate stopped the run")
    assert found.status == "stopped"
    assert found.error == "a gate stopped the run"
    assert found.failed_gates == [f"scored_runs/{DAY}/one_verdict_each", f"scored_runs/{DAY}/receipt_balances"]
    assert list(found.held_days) == [DAY]
    assert "scored_runs/" in found.held_days[DAY]
    assert found.checks.failed == 2


def receipt(stage: str, *refs: tuple[str, str, str | None]) -> Receipt:
    outputs = [FileRef(path=path, rows=0, bytes=0, sha256=sha, content_sha256=content) for path, sha, content in refs]
    return Receipt(
        schema_version=1,
        run_id="r",
        stage=stage,
        started_at=NOW,
        finished_at=NOW,
        inputs=[],
        outputs=outputs,
        records_in=0,
        records_out=0,
        records_skipped=0,
        records_quarantined=0,
        skip_reasons={},
        code_version="1",
        git_commit=NO_COMMIT,
        status="ok",
    )


A, B = ("a.jsonl", "1", "x"), ("b.jsonl", "2", "y")


def test_a_run_hash_is_that_of_the_content_of_the_data_files() -> None:
    first = run_hash([receipt("collect", A, B)])
    assert len(first) == 64
    assert run_hash([receipt("collect", B, A)]) == first
    assert run_hash([receipt("collect", ("a.jsonl", "other stamps", "x"), B)]) == first
    assert run_hash([receipt("collect", A, B, ("card.md", "3", None), ("keys.parquet", "4", None))]) == first
    assert run_hash([receipt("collect", ("a.jsonl", "1", "z"), B)]) != first
    assert run_hash([receipt("collect", ("c.jsonl", "1", "x"), B)]) != first
    assert run_hash([receipt("score", A, B)]) != first
    assert run_hash([receipt("collect", A)]) != first


def test_the_order_of_stages_does_not_change_a_run_hash() -> None:
    one, two = receipt("collect", A), receipt("score", B)
    assert run_hash([one, two]) == run_hash([two, one])


def test_the_same_rows_give_the_same_run_hash_on_another_day(new_lab: Any) -> None:
    hashes = []
    for now in (NOW, LATER):
        lab = new_lab()
        fill(lab)
        hashes.append(lab.night(f"run-{now[:7]}", now).run_hash)
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "a\\b", "..", "."])
def test_what_is_no_run_id_never_becomes_a_path(lab: Any, name: str) -> None:
    with pytest.raises(UsageError):
        lab.run(name)


def test_a_receipt_lies_under_its_run(lab: Any) -> None:
    with Stage(lab.run("r-1.a"), "collect"):
        pass
    path = lab.root / "reports/distillation/r-1.a/receipts/collect.json"
    assert json.loads(path.read_text())["stage"] == "collect"
