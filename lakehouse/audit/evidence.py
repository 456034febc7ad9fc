"""Phase 2: the evidence on disk is there, says where it came from, and is as much as its stage wrote."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lakehouse import engine
from lakehouse.audit.model import AuditCheck, Offender, looked, offender, skipped
from lakehouse.audit.scope import Scope
from lakehouse.chain.manifests import read_manifest
from lakehouse.index import load
from lakehouse.lake import Lake
from lakehouse.records import Provenance

TIER_1 = ("scrum_reviews", "observer_reviews", "audits", "outcomes", "auto_apply")
NOTHING = "no day was collected yet: there is no evidence to look at"
_SIGNATURE = re.compile(r"[0-9a-f]{64}")


class _Placed(msgspec.Struct, gc=False):
    """Evidence, as far as its origin."""

    provenance: Provenance


def evidence(scope: Scope) -> Iterator[AuditCheck]:
    """Count the evidence, look at the provenance of each record, and hold the rows against the manifests."""
    if not scope.days:
        for name in ("evidence_present", "provenance_complete", "rows_match_receipt"):
            yield skipped(2, name, NOTHING)
        return
    rows: dict[str, int] = {}
    incomplete: list[Offender] = []
    paths = [path for day in scope.days for path in sorted(scope.lake.evidence(day).glob("[!.]*.jsonl"))]
    tasks = [(scope.lake, path) for path in paths]
    results = engine.run(_read, tasks, lambda task: task[1].stat().st_size, workers=scope.lake.settings.workers)
    for path, (number, bad) in zip(paths, results, strict=True):
        rows[scope.lake.relative(path)] = number
        incomplete += bad
    yield _present(scope, rows)
    total = sum(rows.values())
    yield looked(
        2, "provenance_complete", incomplete, f"{total} records name file, line and signature", observed={"rows": total}
    )
    yield _matches(scope, rows)


def _read(task: tuple[Lake, Path]) -> tuple[int, list[Offender]]:
    """Count the records of a file and name those whose provenance is not whole."""
    lake, path = task
    decode = msgspec.json.Decoder(_Placed).decode
    found: list[Offender] = []
    number = 0
    with path.open("rb", buffering=1 << 18) as file:
        for number, line in enumerate(file, start=1):
            try:
                why = _lacks(lake, path.stem, decode(line).provenance)
            except (msgspec.DecodeError, UnicodeDecodeError):
                why = "the line is no record with provenance"
            if why is not None:
                found.append(offender(lake.relative(path), number, why))
    return number, found


def _lacks(lake: Lake, stream: str, place: Provenance) -> str | None:
    of = lake.stream_of(place.source_file)
    if of is None or of.name != stream:
        return f"its source file is none of stream {stream}"
    if place.line_offset < 0:
        return "its line offset is below 0"
    if not _SIGNATURE.fullmatch(place.sig_hash):
        return "its sig_hash is no SHA-256"
    return None if place.recorded_at else "it does not say when it was recorded"


def _present(scope: Scope, rows: dict[str, int]) -> AuditCheck:
    """Hold what is there against the rows that the index knows: a stream with rows has evidence, or says why not."""
    lake, found = scope.lake, []
    by_stream: Counter[str] = Counter()
    for path, number in rows.items():
        by_stream[Path(path).stem] += number
    manifests = {day: read_manifest(lake, "collect", day) for day in scope.days}
    accounted = {ref.path for one in manifests.values() if one for ref in one.outputs}
    streams = [name for name in TIER_1 if name in lake.streams]
    for name in streams:
        lines = load(lake, name).lines_by_day()
        for day in scope.days:
            path = lake.relative(lake.evidence(day, name))
            # A file of no rows is an answer too: all of them were quarantined.
            if lines.get(day) and path not in rows:
                why = "its stage wrote it and it is gone" if path in accounted else "the stream has rows on this day"
                found.append(offender(path, 0, f"there is no evidence: {why}"))
    total = sum(by_stream.values())
    taken_in = sum(one.records_in for one in manifests.values() if one)
    if not total and taken_in and not any(one.records_quarantined for one in manifests.values() if one):
        found.append(offender("evidence", 0, f"{taken_in} rows were read and no evidence is there"))
    skips = sum(one.records_in - one.records_out for one in manifests.values() if one)
    with_rows = [name for name in streams if by_stream[name]]
    observed = {"rows": total, "skips": skips, "tier_1_streams": len(with_rows)}
    observed |= {f"rows.{name}": by_stream[name] for name in with_rows}
    return looked(
        2,
        "evidence_present",
        found,
        f"{total} records on {len(scope.days)} days, of {len(with_rows)} of the {len(TIER_1)} first streams",
        observed=observed,
    )


def _matches(scope: Scope, rows: dict[str, int]) -> AuditCheck:
    """Hold rows on disk against what `collect` said that it wrote: by its receipt, and by the manifest of each day."""
    found: dict[str, Offender] = {}
    for day in scope.days:
        manifest = read_manifest(scope.lake, "collect", day)
        said = {ref.path: ref.rows for ref in manifest.outputs if ref.path.startswith("evidence/")} if manifest else {}
        for path, number in said.items():
            if rows.get(path, 0) != number:
                found[path] = offender(path, 0, f"it holds {rows.get(path, 0)} rows, {number} were written")
        folder = scope.lake.relative(scope.lake.evidence(day))
        for path in rows:
            if path.startswith(f"{folder}/") and path not in said:
                found[path] = offender(path, 0, "no stage wrote this file")
    receipt = scope.receipts.get("collect")
    compared = rewritten = 0
    for ref in receipt.outputs if receipt else ():
        now = scope.current.get(ref.path)
        if not ref.path.startswith("evidence/"):
            continue
        if now is None or now.sha256 != ref.sha256:
            rewritten += 1
            continue
        compared += 1
        if rows.get(ref.path, 0) != ref.rows and ref.path not in found:
            found[ref.path] = offender(
                ref.path, 0, f"it holds {rows.get(ref.path, 0)} rows, the receipt says {ref.rows}"
            )
    observed = {"files": len(rows), "in_newest_receipt": compared, "rewritten_since": rewritten}
    good = f"{len(rows)} files hold the rows that were written; {compared} of them are in the newest receipt of collect"
    return looked(2, "rows_match_receipt", found.values(), good, observed=observed)
