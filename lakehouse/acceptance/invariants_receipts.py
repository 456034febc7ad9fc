"""Invariants 21 and 22: receipts say what is on the disk, and the gates can fail.

Here: adding up and hashing by itself what receipts name; spoiling copies and seeing each gate turn red, naming the file.
Not here: the gates.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

from lakehouse.acceptance.comparing import MADE
from lakehouse.acceptance.rows import SFT, Context, Failure, Outcome, read, sha256_of
from lakehouse.audit.receipts import check_receipts
from lakehouse.gates import registry
from lakehouse.lake import Lake
from lakehouse.publish import gating
from lakehouse.records import Verdict
from lakehouse.sql import connect

STAGES = ("collect", "score", "export-sft", "export-rag", "export-preference")
FIREWALL = "contamination_firewall"
BALANCES = "receipt_balances"
LEFT_OUT = "left_out.jsonl"
"""A file beside an export that says something of it and is no data."""
OF_PUBLISHING = "export-preference.jsonl"
"""The quarantine of publishing pairs, which its receipt counts and does not list: a release copies what is listed."""


def receipts_balance(context: Context) -> Outcome:
    """21. Every stage has a receipt that adds up; each file that it wrote is as it says, and no file is without one."""
    lake, run = context.lake, context.copies.first.run
    folder = lake.relative(run.folder)
    failures: list[Failure] = []
    accounted: set[str] = set()
    held_back = 0
    for stage in STAGES:
        file = f"{folder}/receipts/{stage}.json"
        if not (lake.root / file).is_file():
            failures.append(Failure(file, 0, "the stage left no receipt"))
            continue
        receipt = json.loads((lake.root / file).read_bytes())
        failures += [Failure(file, 0, why) for why in _unbalanced(receipt)]
        for ref in receipt["outputs"]:
            accounted.add(ref["path"])
            why = _changed(lake, ref)
            if why is not None:
                failures.append(Failure(ref["path"], 0, f"{why}, says the receipt of {stage}"))
        if stage == "export-preference":
            held_back = receipt["records_quarantined"]
        if stage == "collect" and receipt["records_in"] != len(context.made):
            why = f"it read {receipt['records_in']} rows, and the days have {len(context.made)}"
            failures.append(Failure(file, 0, why))
    found = sum(1 for _ in read(lake, f"quarantine/*/*/*/{OF_PUBLISHING}"))
    if found != held_back:
        why = f"it counts {held_back} runs as quarantined, and {found} are"
        failures.append(Failure(f"{folder}/receipts/export-preference.json", 0, why))
    for path in sorted(path for top in MADE for path in (lake.root / top).rglob("[!.]*.jsonl")):
        name = lake.relative(path)
        listed = name in accounted or name.startswith("quarantine/undated/")
        if not listed and path.name not in (LEFT_OUT, OF_PUBLISHING):
            failures.append(Failure(name, 0, "no receipt names it"))
    return Outcome(len(accounted), failures, None if accounted or failures else "no file was written")


def _unbalanced(receipt: dict[str, Any]) -> list[str]:
    found = []
    parts = [receipt["records_out"], receipt["records_skipped"], receipt["records_quarantined"]]
    if receipt["records_in"] != sum(parts):
        found.append(f"{receipt['records_in']} in, but out + skipped + quarantined = {sum(parts)}")
    if receipt["records_skipped"] != sum(receipt["skip_reasons"].values()):
        found.append(f"{receipt['records_skipped']} skipped, but the reasons add up to another number")
    if receipt["status"] != "ok":
        found.append(f"the stage failed: {receipt.get('error')}")
    return found


def _changed(lake: Lake, ref: dict[str, Any]) -> str | None:
    path = lake.root / ref["path"]
    if not path.is_file():
        return "it is gone"
    if path.stat().st_size != ref["bytes"]:
        return f"it has {path.stat().st_size} bytes, not {ref['bytes']}"
    if sha256_of(path) != ref["sha256"]:
        return "it hashes to something else"
    if path.suffix == ".jsonl" and path.read_bytes().count(b"\n") != ref["rows"]:
        return f"it has not {ref['rows']} rows"
    return None


Spoil = Callable[[Context, Lake], tuple[str, int]]
"""Spoils a copy and gives the file and line that a gate must name then."""
Look = Callable[[Context, Lake], list[Verdict]]


def gates_can_fail(context: Context) -> Outcome:
    """22. A contaminated export and one changed bit in a scored run, an evidence line and a receipt are each caught."""
    failures: list[Failure] = []
    rows = 0
    for name, spoil, look in SPOILED:
        lake = context.copies.tampered(f"spoiled-{name}")
        before = [one for one in look(context, lake) if not one.passed]
        failures += [Failure(lake.relative(lake.root / "gates"), 0, f"{one.check} is red already") for one in before]
        file, line = spoil(context, lake)
        if not file:
            continue
        rows += 1
        red = [one for one in look(context, lake) if not one.passed]
        named = [one for verdict in red for one in verdict.offenders if one.get("file") == file]
        if not red:
            failures.append(Failure(file, line, f"{name}: the gate stayed green"))
        elif not any(one.get("line") in (0, line) for one in named):
            failures.append(Failure(file, line, f"{name}: the gate is red, and names neither the file nor its line"))
    nothing = None if rows == len(SPOILED) or failures else f"only {rows} of {len(SPOILED)} things could be spoiled"
    return Outcome(rows, failures, nothing)


def contaminate(context: Context, lake: Lake) -> tuple[str, int]:
    """Append a sample of a run that must never be trained on to the published export, as if it were accepted."""
    never = [place for place, run in context.scored.items() if run.category in ("rejected", "needs_human_review")]
    samples = list(read(lake, SFT))
    if not never or not samples:
        return "", 0
    run = next(one for one in read(lake, "evidence/*/*/*/*.jsonl") if one.place == never[0]).record
    sample = {
        **samples[0].record,
        "response": run["text"],
        "source_run_id": run["run_id"],
        "task_id": run["task_id"],
        "provenance": run["provenance"],
    }
    with (lake.root / SFT).open("ab") as out:
        out.write(json.dumps(sample, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    return SFT, len(samples) + 1


def flip(pattern: str, key: bytes) -> Spoil:
    """Give a function that flips the lowest bit of the first letter after a key, in the first file that has one."""

    def spoil(_: Context, lake: Lake) -> tuple[str, int]:
        for path in sorted(lake.root.glob(pattern)):
            data = bytearray(path.read_bytes())
            place = data.find(key) + len(key)
            while place >= len(key) and place < len(data) and not chr(data[place]).isalnum():
                place += 1
            if len(key) <= place < len(data):
                data[place] ^= 1
                path.write_bytes(data)
                return lake.relative(path), data.count(b"\n", 0, place) + 1
        return "", 0

    return spoil


def _firewall(context: Context, lake: Lake) -> list[Verdict]:
    now = context.copies.first.run.now()
    gate = next(gate for gate in gating.EXPORT_GATES if gate.name == FIREWALL)
    with closing(connect(lake)) as connection:
        return [gating.look_at_export(gate, lake, connection, now)]


def _balances(asset: str) -> Look:
    def look(context: Context, lake: Lake) -> list[Verdict]:
        now = context.copies.first.run.now()
        gates = [gate for gate in registry.DAILY_GATES if (gate.asset, gate.name) == (asset, BALANCES)]
        return [registry.look(gate, lake, day, now) for gate in gates for day in context.copies.first.days]

    return look


def _seals(context: Context, lake: Lake) -> list[Verdict]:
    run = context.copies.first
    reports = lake.root / "reports"
    path = reports / "distillation" / run.run.run_id / "summary.json"
    offenders = check_receipts(reports, path, run.summary)
    return [registry.red("receipts_valid", run.run.now(), "receipts changed", one) for one in offenders]


_RECEIPTS = "reports/distillation/first/receipts/*.json"
SPOILED: tuple[tuple[str, Spoil, Look], ...] = (
    ("a contaminated export", contaminate, _firewall),
    ("a bit of a scored run", flip("scored-runs/*/*/*/*.jsonl", b'"reasons":["'), _balances("scored_runs")),
    ("a bit of an evidence line", flip("evidence/*/*/*/*.jsonl", b'"text":"'), _balances("evidence")),
    ("a bit of a receipt", flip(_RECEIPTS, b'"records_in": '), _seals),
)
"""What is spoiled in a copy, how, and which gate must see it."""
