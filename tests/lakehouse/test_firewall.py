"""The firewall: what may never be trained on, in the first two of its places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from lakehouse.errors import SftContamination
from lakehouse.firewall import QUALITY, SFT_NEVER, admit, check_file, withheld
from lakehouse.jsonl import encode
from lakehouse.records import Provenance, ScoredRun, SftSample

PLACE = Provenance(source_file="_kb/audits.jsonl", line_offset=4, sig_hash="ab" * 32, recorded_at="x")


def scored(category: Any) -> ScoredRun:
    return ScoredRun(
        schema_version=1,
        evidence_run_id="r1",
        evidence_task_id="t1",
        stream="audits",
        category=category,
        reasons=["why"],
        sub_scores={},
        scorer="audit",
        scorer_version="v1.0.0",
        scored_at="x",
        provenance=PLACE,
        sig_hash="cd" * 32,
    )


def sample(category: Any = "accepted", quality: float = 1.0, **more: Any) -> SftSample:
    made = SftSample(
        schema_version=1,
        id="sft-0123456789abcdef",
        instruction="do",
        context="",
        response="done",
        category=category,
        quality_score=quality,
        source_run_id="r1",
        task_id="t1",
        created_at="x",
        provenance=PLACE,
    )
    return msgspec.structs.replace(made, **more)


def test_the_set_is_spelled_out() -> None:
    assert sorted(SFT_NEVER) == ["needs_human_review", "rejected"]
    assert isinstance(SFT_NEVER, frozenset)


def test_a_verdict_is_worth_what_the_contract_says() -> None:
    assert QUALITY == {"accepted": 1.0, "partially_accepted": 0.5}


@pytest.mark.parametrize("source_class", ["verdict", "telemetry"])
@pytest.mark.parametrize(
    ("category", "include_partial", "quality"),
    [("accepted", False, 1.0), ("accepted", True, 1.0), ("partially_accepted", True, 0.5)],
)
def test_an_exportable_run_is_admitted(category: Any, source_class: Any, include_partial: bool, quality: float) -> None:
    assert withheld(scored(category), source_class, include_partial) is None
    assert admit(scored(category), source_class, include_partial) == quality


FORBIDDEN = [
    *(
        (category, source_class, include_partial, category)
        for category in ("rejected", "needs_human_review")
        for source_class in ("verdict", "telemetry", "extraction")
        for include_partial in (False, True)
    ),
    ("accepted", "extraction", False, "extraction_class"),
    ("accepted", "extraction", True, "extraction_class"),
    ("partially_accepted", "extraction", True, "extraction_class"),
    ("partially_accepted", "extraction", False, "extraction_class"),
    ("partially_accepted", "verdict", False, "partial_not_requested"),
    ("partially_accepted", "telemetry", False, "partial_not_requested"),
]


@pytest.mark.parametrize(("category", "source_class", "include_partial", "reason"), FORBIDDEN)
def test_a_forbidden_run_is_named_and_refused(
    category: Any, source_class: Any, include_partial: bool, reason: str
) -> None:
    assert withheld(scored(category), source_class, include_partial) == reason
    with pytest.raises(SftContamination, match=reason) as error:
        admit(scored(category), source_class, include_partial)
    assert "_kb/audits.jsonl:4" in str(error.value)
    assert error.value.exit_code == 1


def test_a_contamination_is_an_error_of_its_own_kind() -> None:
    assert not issubclass(SftContamination, ValueError)


def write(path: Path, *samples: SftSample) -> Path:
    path.write_bytes(b"".join(encode(made) + b"\n" for made in samples))
    return path


@pytest.mark.parametrize("include_partial", [False, True])
def test_a_clean_file_passes(tmp_path: Path, include_partial: bool) -> None:
    samples = [sample(), sample("partially_accepted", 0.5)][: 1 + include_partial]
    path = write(tmp_path / "a.jsonl", *samples)
    before = path.read_bytes()
    check_file(path, include_partial)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("bad", "include_partial"),
    [
        (sample("rejected", 1.0), True),
        (sample("rejected", 0.0), True),
        (sample("needs_human_review", 0.5), True),
        (sample("partially_accepted", 0.5), False),
        (sample("partially_accepted", 1.0), True),
        (sample("accepted", 0.5), True),
        (sample("great", 1.0), True),
    ],
)
def test_a_written_sample_that_must_not_be_there_is_named_by_line(
    tmp_path: Path, bad: SftSample, include_partial: bool
) -> None:
    path = write(tmp_path / "a.jsonl", sample(), sample(), bad, sample())
    with pytest.raises(SftContamination, match=f"{path}:3"):
        check_file(path, include_partial)
