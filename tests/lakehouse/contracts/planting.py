"""Files in which each line breaks one expectation, or none: what the tests of the contracts share."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lakehouse.chain.manifests import write_manifest
from lakehouse.lake import Lake
from lakehouse.records import DayManifest, FileRef, Verdict

DAY, NOW = "2026-05-01", "2026-05-02T02:00:00.000Z"
ABSENT = object()
SSN = "123-45-6789"
Row = dict[str, Any]
Fault = tuple[str, dict[str, Any] | bytes, list[str]]
"""What it is called, the fields (dotted) that differ or the whole line, what the contract says of it."""


def place(number: int) -> Row:
    sig = f"{number:064x}"
    return {"source_file": "_kb/audits.jsonl", "line_offset": number, "sig_hash": sig, "recorded_at": NOW}


def evidence(number: int) -> Row:
    return {
        "schema_version": 1,
        "run_id": f"r{number}",
        "task_id": f"phase:p{number}",
        "timestamp": f"{DAY}T10:00:00Z",
        "provenance": place(number),
        "source_class": "verdict",
        "success_markers": [],
        "failure_markers": [],
        "text": f"text {number}",
    }


def sample(number: int) -> Row:
    return {
        "schema_version": 1,
        "id": f"sft-{number:016x}",
        "instruction": "do it",
        "context": "",
        "response": "done",
        "category": "accepted",
        "quality_score": 1.0,
        "source_run_id": f"r{number}",
        "task_id": "t",
        "created_at": NOW,
        "provenance": place(number),
    }


def chunk(number: int) -> Row:
    return {
        "schema_version": 1,
        "id": f"rag-{number:016x}",
        "title": "audits: t",
        "content": "four",
        "tags": ["audits"],
        "category": "accepted",
        "stream": "audits",
        "source_run_id": f"r{number}",
        "task_id": "t",
        "chunk_index": 0,
        "chunk_count": 1,
        "token_count": 2,
        "char_start": 0,
        "char_end": 4,
        "created_at": NOW,
        "provenance": place(number),
    }


def turn(role: str) -> list[Row]:
    return [{"role": role, "content": "words"}]


def pair(number: int) -> Row:
    return {
        "schema_version": 1,
        "id": f"pref-{number:016x}",
        "prompt": turn("user"),
        "chosen": turn("assistant"),
        "rejected": turn("assistant"),
        "reason": "better",
        "chosen_run_id": f"a{number}",
        "rejected_run_id": f"b{number}",
        "task_id": "t",
        "chosen_category": "accepted",
        "rejected_category": "rejected",
        "created_at": NOW,
        "provenance_chosen": place(number),
        "provenance_rejected": place(number + 1_000_000),
    }


def changed(row: Row, changes: dict[str, Any]) -> Row:
    """Give a row with some fields (dotted names) set, or taken out where they are ABSENT."""
    row = copy.deepcopy(row)
    for name, value in changes.items():
        *path, last = name.split(".")
        inner = row
        for step in path:
            inner = inner[step]
        if value is ABSENT:
            del inner[last]
        else:
            inner[last] = value
    return row


def lines(make: Callable[[int], Row], faults: Sequence[Fault]) -> bytes:
    """A good line, one for each fault, and a good line again."""
    made = [json.dumps(make(1)).encode()]
    for number, (_, changes, _) in enumerate(faults, start=2):
        made.append(changes if isinstance(changes, bytes) else json.dumps(changed(make(number), changes)).encode())
    return b"\n".join([*made, json.dumps(make(len(faults) + 2)).encode()]) + b"\n"


def day_of(root: Path, **files: bytes) -> Lake:
    """A lake that has evidence of the day, stream by stream, and the manifest that says so."""
    lake = Lake(root)
    for stream, data in files.items():
        path = lake.evidence(DAY, stream)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    refs = [
        FileRef(path=f"evidence/{name}", rows=data.count(b"\n"), bytes=len(data), sha256="0" * 64)
        for name, data in files.items()
    ]
    write_manifest(lake, manifest(outputs=refs))
    return lake


def manifest(rows: int = 0, quarantined: int = 0, outputs: Sequence[FileRef] = ()) -> DayManifest:
    """What `collect` made of the day."""
    return DayManifest(
        schema_version=1,
        stage="collect",
        day=DAY,
        fingerprint="f",
        inputs=[],
        outputs=list(outputs),
        records_in=rows,
        records_out=rows - quarantined,
        records_quarantined=quarantined,
        skip_reasons={},
        counts={},
        code_version="1",
    )


def whys(verdict: Verdict, line: int) -> list[str]:
    """What a verdict says of a line."""
    return sorted(offender["why"] for offender in verdict.offenders if offender["line"] == line)


def counts(verdict: Verdict) -> dict[str, int]:
    """How many rows failed each expectation, where any did."""
    return {row["expectation"]: row["failed"] for row in (verdict.tables or {})["expectations"] if row["failed"]}
