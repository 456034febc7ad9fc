"""Audit baselines: one line a run hash, read strictly, for the last entry is the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakehouse.baseline import append_baseline, log_path, metrics, read_baselines
from lakehouse.errors import RecordError

DAY, NEXT = "2026-05-01", "2026-05-02"
NOW = "2026-05-10T02:00:00.000Z"
OTHER = {
    "schema": "audit_baseline.v1",
    "recorded_at": "2026-04-01T00:00:00.123456789Z",
    "git_commit": "f" * 40,
    "run_id": "go-1",
    "run_hash": "ab",
    "producer": "go",
    "metrics": {"p2_evidence_rows": 12, "p9_later": 0.5},
    "host": {"name": "x"},
}


def run(n: int, day: str = DAY, **more: Any) -> dict[str, Any]:
    return {"run_id": f"r{n}", "prompt": f"p{n}", "response": f"a{n}", "passed": True, "ts": f"{day}T10:00:00Z", **more}


def write(tmp_path: Path, *lines: bytes, end: bytes = b"\n") -> Path:
    path = tmp_path / "audit_baselines.jsonl"
    path.write_bytes(b"\n".join(lines) + end)
    return path


GOOD = json.dumps(OTHER).encode()


def test_no_file_is_no_baseline(tmp_path: Path) -> None:
    assert read_baselines(tmp_path / "none.jsonl") == []


def test_keys_and_metrics_of_others_survive(tmp_path: Path) -> None:
    assert read_baselines(write(tmp_path, GOOD)) == [OTHER]


def test_blank_lines_are_skipped(tmp_path: Path) -> None:
    assert len(read_baselines(write(tmp_path, b"", GOOD, b"  ", GOOD, b"", b""))) == 2


@pytest.mark.parametrize("torn", [GOOD[:40], GOOD])
def test_a_torn_last_line_is_an_error_that_says_so(tmp_path: Path, torn: bytes) -> None:
    path = write(tmp_path, GOOD, torn, end=b"")
    with pytest.raises(RecordError, match=f"{path}:2") as error:
        read_baselines(path)
    assert "torn" in str(error.value)


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"[]",
        b"\xff",
        GOOD.replace(b'"go"', b'"\xff"'),
        GOOD.replace(b'"x"', b'"\xff"'),
        GOOD.replace(b"baseline.v1", b"baseline.v2"),
        GOOD.replace(b'"run_hash"', b'"hash"'),
        GOOD.replace(b"0.5", b'"half"'),
        GOOD.replace(b"0.5", b"NaN"),
    ],
)
def test_any_other_line_is_an_error_with_its_number(tmp_path: Path, bad: bytes) -> None:
    path = write(tmp_path, GOOD, b"", bad, GOOD)
    with pytest.raises(RecordError, match=f"{path}:3"):
        read_baselines(path)


def fill(lab: Any) -> Any:
    lab.write(
        "agent_runs",
        run(0),
        run(0),
        run(1, passed=None, reward=0.5),
        run(2, passed=False),
        run(3, passed=None),
        run(4, response="my ssn is 219-09-9999"),
        {**run(5), "cost_usd": "free"},
        run(6, NEXT),
    )
    return lab.night()


def test_the_metrics_are_those_of_the_whole_lake(lab: Any) -> None:
    fill(lab)
    assert metrics(lab.lake) == {
        "p2_evidence_rows": 6,
        "p2_evidence_skips": 2,
        "p3_accepted": 3,
        "p3_partial": 1,
        "p3_rejected": 1,
        "p3_human": 1,
        "p4_sft_rows": 2,
        "p4_rag_rows": 0,
        "p4_pref_pairs": 0,
        "p4_quarantined": 2,
        "p4_contaminated": 0,
    }


def test_an_empty_lake_has_metrics_of_zero(lab: Any) -> None:
    assert set(metrics(lab.lake).values()) == {0}


def test_a_baseline_is_appended_once_for_a_run_hash(lab: Any) -> None:
    path = log_path(lab.lake)
    path.write_bytes(GOOD + b"\n")
    first = append_baseline(lab.lake, fill(lab), NOW)
    assert first is not None
    assert (first.producer, first.recorded_at, first.metrics) == ("python", NOW, metrics(lab.lake))
    before = path.read_bytes()
    assert before.startswith(GOOD + b"\n")
    assert append_baseline(lab.lake, lab.night("again", days=[DAY, NEXT]), NOW) is None
    assert path.read_bytes() == before
    lab.write("agent_runs", run(9, NEXT))
    assert append_baseline(lab.lake, lab.night("more"), NOW) is not None
    assert [entry["producer"] for entry in read_baselines(path)] == ["go", "python", "python"]


def test_a_line_is_the_record_that_the_contract_names(lab: Any) -> None:
    append_baseline(lab.lake, fill(lab), NOW)
    (line,) = log_path(lab.lake).read_bytes().splitlines()
    keys = ["schema", "recorded_at", "git_commit", "run_id", "run_hash", "producer", "metrics", "partition"]
    assert list(json.loads(line)) == keys


def test_nothing_is_appended_behind_a_torn_line(lab: Any) -> None:
    found = fill(lab)
    path = log_path(lab.lake)
    path.write_bytes(GOOD + b"\n" + GOOD[:30])
    before = path.read_bytes()
    with pytest.raises(RecordError, match="torn"):
        append_baseline(lab.lake, found, NOW)
    assert path.read_bytes() == before
