"""A lake whose three exports are published and green, for the tests of releases.

Here: bringing a `lab` that far. Chunks and pairs are written by hand, so that a test says what lies in them.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from lakehouse.chain.manifests import manifest_days
from lakehouse.files import sha256_of
from lakehouse.gates.verdicts import (
    LOOKS_AT,
    REQUIRED,
    REQUIRED_OF_EXPORTS,
    day_input,
    read_verdicts,
    record,
)
from lakehouse.lake import Lake
from lakehouse.publish.exports import EXPORTS, PREFERENCE, RAG, SFT, Published
from lakehouse.publish.state import keep
from lakehouse.records import FileRef, Release
from lakehouse.release import make as making
from lakehouse.sql import connect
from tests.lakehouse.conftest import green

NOW = "2026-05-10T02:00:00.000Z"
COMMIT = "c" * 40


def publish_all(lab: Any, now: str = NOW, *, by_hand: bool = True) -> None:
    """Make the stale days, let the gates look, and publish all exports with every verdict green.

    Chunks and pairs are written by hand, or as the chain publishes them.
    """
    lab.make(now=now)
    lake = lab.lake
    days = manifest_days(lake, "collect")
    assert lab.gate(days) == []
    for asset, checks in REQUIRED.items():
        for day in days:
            current = day_input(lake, asset, day)
            assert current is not None
            for check in checks:
                if check not in read_verdicts(lake, asset, day):
                    record(lake, asset, day, green(check, current))
    lab.publish(now)
    record(lake, SFT.asset, None, lab.firewall())
    if by_hand:
        publish_rows(lake, RAG.asset, chunks(lab))
        publish_rows(lake, PREFERENCE.asset, pairs(lab), {"kto.jsonl": b""})
    else:
        lab.publish_rag(now)
        lab.publish_preference(now)
    green_exports(lake)


def green_exports(lake: Lake) -> None:
    """Let every gate of every export say that what is published is fine, where it did not say so itself."""
    for asset, checks in REQUIRED_OF_EXPORTS.items():
        native = EXPORTS[asset].main(lake)
        for check in checks:
            current = sha256_of(native.with_name(LOOKS_AT.get(check, native.name)))
            known = read_verdicts(lake, asset).get(check)
            if known is None or known.input_sha256 != current:
                record(lake, asset, None, green(check, current))


def publish_rows(lake: Lake, asset: str, rows: list[dict[str, Any]], beside: dict[str, bytes] | None = None) -> None:
    """Publish rows of our own making as an export, and files beside them."""
    export = EXPORTS[asset]
    native = b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)
    outputs = []
    for name, data in {export.main(lake).name: native, **(beside or {})}.items():
        path = export.folder(lake) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        outputs.append(
            FileRef(path=lake.relative(path), rows=data.count(b"\n"), bytes=len(data), sha256=sha256_of(path))
        )
    keep(
        lake,
        export,
        {"version": "test-1"},
        Published(
            inputs=[],
            outputs=outputs,
            held_days={},
            records_in=len(rows),
            records_out=len(rows),
            items_out=len(rows),
            records_quarantined=0,
            skip_reasons={},
            verdicts=[],
            counts={"category": {"accepted": len(rows)}},
        ),
    )


def judged(lab: Any) -> list[tuple[dict[str, Any], str]]:
    """Give the evidence of the lake with its verdicts."""
    verdicts = {run["provenance"]["sig_hash"]: run["category"] for run in lab.scored()}
    return [(record, verdicts[record["provenance"]["sig_hash"]]) for record in lab.evidence()]


def chunks(lab: Any) -> list[dict[str, Any]]:
    return [
        {
            "schema_version": 1,
            "id": f"rag-{found['run_id']}-{found['text']}",
            "content": found["text"],
            "category": category,
            "stream": "agent_runs",
            "source_run_id": found["run_id"],
            "created_at": found["provenance"]["recorded_at"],
            "provenance": found["provenance"],
        }
        for found, category in judged(lab)
        if category in ("accepted", "partially_accepted")
    ]


def pairs(lab: Any) -> list[dict[str, Any]]:
    """Pair every accepted run of a task with every rejected one."""
    found = judged(lab)
    return [
        {
            "schema_version": 1,
            "id": f"pref-{good['run_id']}-{bad['run_id']}",
            "chosen": good["text"],
            "rejected": bad["text"],
            "chosen_run_id": good["run_id"],
            "rejected_run_id": bad["run_id"],
            "chosen_category": chosen,
            "rejected_category": rejected,
            "created_at": good["provenance"]["recorded_at"],
            "provenance_chosen": good["provenance"],
            "provenance_rejected": bad["provenance"],
        }
        for good, chosen in found
        for bad, rejected in found
        if (chosen, rejected) == ("accepted", "rejected") and good["task_id"] == bad["task_id"]
    ]


def release(lab: Any, now: str = NOW, **options: Any) -> Release:
    """Release what is published."""
    lake = lab.lake
    with closing(connect(lake)) as connection:
        return making.make(lake, connection, now, **{"by": "ann", "git_commit": COMMIT, **options})


def folder(lab: Any, made: Release) -> Path:
    return lab.root / "distilled" / "releases" / made.release_hash


def decide(lab: Any, run_id: str, category: str, at: str = "2026-05-09T00:00:00.000Z", reason: str = "read it") -> str:
    """Say what a run is worth; give the signature of its row."""
    sig_hash = next(one["provenance"]["sig_hash"] for one in lab.evidence() if one["run_id"] == run_id)
    row = {"sig_hash": sig_hash, "category": category, "by": "ann", "reason": reason, "at": at}
    lab.write("human_overrides", row)
    return str(sig_hash)
