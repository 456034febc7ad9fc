"""The verdicts of the gates on disk, and what publishing concludes from them.

Here: writing a verdict, and telling green from red, missing and stale. Not here: how a verdict is reached.

A file is sealed by whoever records a verdict. One that does not decode, or whose seal is absent or wrong, is taken as not
there: what it said counts as missing, and the next look writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Literal

import msgspec

from lakehouse.chain.manifests import data_hash, read_manifest
from lakehouse.errors import RecordError
from lakehouse.files import locked
from lakehouse.gates.waivers import waiver_of
from lakehouse.jsonl import encode, read_json, write_json
from lakehouse.lake import Lake
from lakehouse.records import GateVerdicts, Verdict

MOST_OFFENDERS = 100
MISSING = "missing, or changed by hand: the gate has to look again"
STALE = "stale, the data changed after the gate looked at it"
UNSEEN = "the gate could not look"
STAGE_OF = {"evidence": "collect", "scored_runs": "score", "sft_samples": "export-sft", "rag_chunks": "export-rag"}
"""Which stage makes the data of a daily asset."""

REQUIRED: dict[str, tuple[str, ...]] = {
    "evidence": ("provenance_resolves", "receipt_balances", "contract", "quarantine_rate"),
    "scored_runs": (
        "receipt_balances",
        "one_verdict_each",
        "scorer_parity",
        "scorer_drift",
        "score_distribution_psi",
    ),
    "sft_samples": ("receipt_balances",),
    "rag_chunks": ("receipt_balances",),
}
"""The gates that must be green before a day is published, by daily asset."""

REQUIRED_OF_EXPORTS: dict[str, tuple[str, ...]] = {
    "sft_export": ("contamination_firewall", "no_holdout_overlap", "splits_disjoint", "contract", "verdict_balance"),
    "rag_export": ("never_rejected", "chunks_rebuild_text", "contract"),
    "preference_export": ("strict_order", "kto_labels", "contract"),
}
"""The gates that must be green before an export is released, each on its native file or on the one in `LOOKS_AT`."""

OF_THE_LAKE = ("session_audit", "subject_audit", "replay_report", "audit_baseline")
"""The assets whose gates look at the lake as a whole: a red one refuses a release, one that never looked does not."""

LOOKS_AT = {"kto_labels": "kto.jsonl"}
"""The gates that look at another file than the native one, beside it."""


def verdict(
    check: str,
    *,
    passed: bool,
    rows_checked: int,
    summary: str,
    offenders: Iterable[dict[str, Any]],
    input_sha256: str,
    code_version: str,
    checked_at: str,
    severity: Literal["ERROR", "WARN"] = "ERROR",
    tables: dict[str, list[dict[str, Any]]] | None = None,
) -> Verdict:
    """Make a verdict; at most 100 offenders are kept."""
    return Verdict(
        check=check,
        severity=severity,
        passed=passed,
        rows_checked=rows_checked,
        offenders=list(offenders)[:MOST_OFFENDERS],
        summary=summary,
        tables=tables,
        input_sha256=input_sha256,
        code_version=code_version,
        checked_at=checked_at,
    )


def record(lake: Lake, asset: str, day: str | None, new: Verdict) -> Verdict:
    """Write a verdict into the file of its asset and day, in place of the last one of the same gate.

    A verdict that says the same of the same data keeps its stamp, so that a re-run changes no byte.
    """
    path = lake.gate(asset, day)
    with locked(lake.lock(f"gate-{asset}-{day or 'all'}")):
        held = _kept(lake, asset, day) or GateVerdicts(schema_version=1, asset=asset, partition=day, verdicts=[])
        by_check = {old.check: old for old in held.verdicts}
        old = by_check.get(new.check)
        if old is not None and _same(old, new):
            new = old
        by_check[new.check] = new
        held.verdicts = [by_check[check] for check in sorted(by_check)]
        held.seal = seal_of(held)
        write_json(path, held)
    return new


def _same(old: Verdict, new: Verdict) -> bool:
    skip = {"checked_at"}
    return all(getattr(old, name) == getattr(new, name) for name in Verdict.__struct_fields__ if name not in skip)


def seal_of(held: GateVerdicts) -> str:
    """Give the hex SHA-256 of a file of verdicts, encoded without its seal."""
    return sha256(encode(msgspec.structs.replace(held, seal=None))).hexdigest()


def _kept(lake: Lake, asset: str, day: str | None) -> GateVerdicts | None:
    """Read the file of an asset (and day); `None` where there is none that `record` wrote there and nobody changed."""
    try:
        held = read_json(lake.gate(asset, day), GateVerdicts)
    except RecordError:
        return None
    if held is None or (held.asset, held.partition) != (asset, day) or held.seal != seal_of(held):
        return None
    return held


def read_verdicts(lake: Lake, asset: str, day: str | None = None) -> dict[str, Verdict]:
    """Give the newest verdicts on an asset (and day) by gate; none where the file is gone, damaged or changed by hand."""
    held = _kept(lake, asset, day)
    return {verdict.check: verdict for verdict in held.verdicts} if held else {}


def day_input(lake: Lake, asset: str, day: str) -> str | None:
    """Name the data that a daily asset's gates look at: what its manifest says was written; `None` where nothing was."""
    manifest = read_manifest(lake, STAGE_OF[asset], day)
    return None if manifest is None else data_hash(manifest.outputs)


def why_held(lake: Lake, day: str, assets: Sequence[str] = tuple(REQUIRED)) -> str | None:
    """Say which gate keeps a day from being published (red, missing or stale).

    `None` where all are green, warn only, or were waived by a person.
    """
    for asset in assets:
        current = day_input(lake, asset, day)
        if current is None:
            return f"{asset}: not made yet"
        verdicts = read_verdicts(lake, asset, day)
        for check in REQUIRED[asset]:
            found = verdicts.get(check)
            if found is None:
                return f"{asset}/{check}: {MISSING}"
            if is_red(found) and waiver_of(lake, asset, day, found) is None:
                after = "" if found.input_sha256 == current else f"; {STALE if found.input_sha256 else UNSEEN}"
                return f"{asset}/{check}: red, {found.summary}{after}"
            if found.input_sha256 != current:
                return f"{asset}/{check}: {STALE}"
    return None


def why_red(lake: Lake, day: str) -> str | None:
    """Say which gate holds a day back because it is red and nobody waived it; missing and stale ones do not count."""
    for asset in REQUIRED:
        for check, found in read_verdicts(lake, asset, day).items():
            if is_red(found) and waiver_of(lake, asset, day, found) is None:
                return f"{asset}/{check}: {found.summary}"
    return None


def is_red(verdict: Verdict) -> bool:
    """Say whether a verdict holds data back; one that is not passed and only warns does not."""
    return not verdict.passed and verdict.severity == "ERROR"
