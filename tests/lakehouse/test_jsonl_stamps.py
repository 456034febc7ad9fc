"""JSONL files of records, and content hashes that leave out exactly the stamps."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.errors import OutsideFailure, RecordError
from lakehouse.jsonl import JsonlReader, JsonlWriter, encode, read_json, write_json
from lakehouse.records import EvidenceRecord, FileRef, FirewallReport, Provenance, ScoredRun, SftSample
from lakehouse.stamps import cut_evidence, cut_sample, cut_scored

STAMP = "2026-05-01T10:00:00.000Z"
# Content that looks like stamps: the same keys, the same values, and text that quotes whole members.
KEYS = st.sampled_from(["recorded_at", "created_at", "scored_at", "provenance", "a", 'x","recorded_at":"', ""])
LEAVES = st.sampled_from(
    [STAMP, "", f'","recorded_at":"{STAMP}', f',"created_at":"{STAMP}"', "\\", '"', "é😀", 1, None]
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=4)
TEXTS = LEAVES.filter(lambda leaf: isinstance(leaf, str))


def place(name: str, stamp: str) -> Provenance:
    return Provenance(source_file=name, line_offset=0, sig_hash="ab" * 32, recorded_at=stamp)


def evidence(text: str, metadata: Any, messages: Any, stamp: str) -> EvidenceRecord:
    return EvidenceRecord(
        schema_version=1,
        run_id=text,
        task_id=text,
        timestamp=STAMP,
        provenance=place(text, stamp),
        source_class="telemetry",
        success_markers=[text],
        failure_markers=[],
        text=text,
        messages=messages,
        metadata=metadata,
    )


def scored(text: str, sub_scores: Any, stamp: str) -> ScoredRun:
    return ScoredRun(
        schema_version=1,
        evidence_run_id=text,
        evidence_task_id=text,
        stream="audits",
        category="accepted",
        reasons=[text],
        sub_scores=sub_scores,
        scorer=text,
        scorer_version="v1.0.0",
        scored_at=stamp,
        provenance=place(text, stamp),
        sig_hash="cd" * 32,
    )


def sample(text: str, messages: Any, stamp: str) -> SftSample:
    return SftSample(
        schema_version=1,
        id="sft-0",
        instruction=text,
        context=text,
        response=text,
        messages=messages,
        category="accepted",
        quality_score=1.0,
        source_run_id=text,
        task_id=text,
        created_at=stamp,
        provenance=place(text, stamp),
    )


def without(line: bytes, outer: str | None) -> dict[str, Any]:
    """Take the stamps out of a record the slow way: parse it and delete the keys."""
    record = json.loads(line)
    del record["provenance"]["recorded_at"]
    if outer:
        del record[outer]
    return dict(record)


@settings(deadline=None, max_examples=300)
@given(TEXTS, st.none() | OBJECTS, st.none() | st.lists(OBJECTS, max_size=3), TEXTS)
def test_evidence_loses_its_stamp_and_nothing_else(text: str, metadata: Any, messages: Any, stamp: str) -> None:
    stamp = stamp.replace('"', "").replace("\\", "")
    line = encode(evidence(text, metadata, messages, stamp))
    assert json.loads(cut_evidence(line)) == without(line, None)


@settings(deadline=None, max_examples=300)
@given(TEXTS, st.dictionaries(KEYS, TEXTS | st.booleans() | st.floats(0, 1), max_size=4))
def test_a_scored_run_loses_its_two_stamps_and_nothing_else(text: str, sub_scores: Any) -> None:
    line = encode(scored(text, sub_scores, STAMP))
    assert json.loads(cut_scored(line)) == without(line, "scored_at")


@settings(deadline=None, max_examples=300)
@given(TEXTS, st.none() | st.lists(OBJECTS, max_size=3))
def test_a_sample_loses_its_two_stamps_and_nothing_else(text: str, messages: Any) -> None:
    line = encode(sample(text, messages, STAMP))
    assert json.loads(cut_sample(line)) == without(line, "created_at")


def content_hash(path: Path, record: msgspec.Struct, cut: Any) -> str | None:
    with JsonlWriter(path, cut) as out:
        out.add(encode(record))
        out.add(encode(record))
    return out.ref("x").content_sha256


@pytest.mark.parametrize(
    ("make", "cut"),
    [
        (lambda stamp, inner: evidence("t", {"recorded_at": inner}, [{"recorded_at": inner}], stamp), cut_evidence),
        (lambda stamp, inner: scored("t", {"scored_at": inner}, stamp), cut_scored),
        (lambda stamp, inner: sample("t", [{"created_at": inner}], stamp), cut_sample),
    ],
    ids=["evidence", "scored", "sample"],
)
def test_a_content_hash_ignores_the_stamps_and_no_key_of_the_same_name(tmp_path: Path, make: Any, cut: Any) -> None:
    first = content_hash(tmp_path / "a", make(STAMP, "x"), cut)
    assert content_hash(tmp_path / "a", make("2027-01-01T00:00:00.000Z", "x"), cut) == first
    assert content_hash(tmp_path / "a", make(STAMP, "y"), cut) != first


class Line(msgspec.Struct):
    n: int
    text: str = ""


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 200_000), max_size=6))
def test_a_reference_describes_the_file_that_was_written(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
    with JsonlWriter(path) as out:
        for number, size in enumerate(sizes):
            out.add(encode(Line(number, "x" * size)))
    data = path.read_bytes()
    digest = sha256(data).hexdigest()
    assert out.ref("a") == FileRef(path="a", rows=len(sizes), bytes=len(data), sha256=digest, content_sha256=digest)
    assert data.count(b"\n") == len(sizes)
    assert [line.n for line in JsonlReader(Line).records(path)] == list(range(len(sizes)))


def test_an_empty_file_is_written_and_described(tmp_path: Path) -> None:
    with JsonlWriter(tmp_path / "a.jsonl", cut_evidence) as out:
        pass
    assert (tmp_path / "a.jsonl").read_bytes() == b""
    assert out.ref("a").rows == 0


def test_an_error_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"old\n")

    def interrupted() -> None:
        with JsonlWriter(path) as out:
            out.add(b"{}")
            raise OutsideFailure("the disk is gone")

    with pytest.raises(OutsideFailure):
        interrupted()
    assert path.read_bytes() == b"old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_torn_last_line_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n":1}\n{"n":2}')
    assert [line.n for line in JsonlReader(Line).records(path)] == [1]


@pytest.mark.parametrize("bad", [b"{", b'{"n":"x"}', b"[]", b"", b'{"n":1,"text":"\xff"}'])
def test_a_line_that_is_no_record_is_named_by_file_and_line(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n":1}\n' + bad + b"\n")
    with pytest.raises(RecordError, match=f"{path}:2"):
        list(JsonlReader(Line).records(path))


def test_a_record_in_a_file_of_its_own_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    report = FirewallReport(blocked=0, by_category={})
    assert read_json(path, FirewallReport) is None
    write_json(path, report)
    assert read_json(path, FirewallReport) == report
    assert path.read_text() == '{\n  "blocked": 0,\n  "by_category": {}\n}\n'
    path.write_bytes(b"{")
    with pytest.raises(RecordError, match=r"a\.json"):
        read_json(path, FirewallReport)
