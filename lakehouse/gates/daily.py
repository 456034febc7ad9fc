"""The gates of the daily assets: evidence resolves to its rows, receipts balance, every record has one verdict.

Here: each gate as a function from a lake and a day to a verdict. Not here: keeping verdicts (`verdicts.py`).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from lakehouse import canonical, engine
from lakehouse.chain.manifests import data_hash, read_manifest
from lakehouse.errors import RecordError, StreamRewritten
from lakehouse.files import sha256_of
from lakehouse.gates.pairing import paired
from lakehouse.gates.verdicts import STAGE_OF, verdict
from lakehouse.index import load
from lakehouse.index.reader import read_segment
from lakehouse.jsonl import decoded
from lakehouse.lake import Lake
from lakehouse.records import DayManifest, Provenance, Verdict

SAMPLE = 10_000
VERSION = "gates-1"
Offender = dict[str, Any]
_Place = tuple[str, int, str]
"""Source file, line offset and signature of a row."""


class _Placed(msgspec.Struct, gc=False):
    """Any record with provenance."""

    provenance: Provenance


class _Judged(msgspec.Struct, gc=False):
    """What a scored run says of its evidence."""

    provenance: Provenance
    evidence_run_id: str
    evidence_task_id: str
    category: str
    reasons: list[str]


class _Named(msgspec.Struct, gc=False):
    """What evidence says of itself."""

    provenance: Provenance
    run_id: str
    task_id: str


CATEGORIES = frozenset({"accepted", "partially_accepted", "needs_human_review", "rejected"})


def provenance_resolves(lake: Lake, day: str, checked_at: str, limit: int = SAMPLE) -> Verdict:
    """Read back the row that each evidence record names; its canonical hash must be the record's `sig_hash`.

    All records up to `limit`, else a sample of that size seeded by the day.
    """
    manifest = _manifest(lake, "evidence", day)
    files = sorted(lake.evidence(day).glob("*.jsonl"))
    total = sum(ref.rows for ref in manifest.outputs if ref.path.startswith("evidence/"))
    chosen = set(random.Random(day).sample(range(total), limit)) if total > limit else None  # noqa: S311 - a sample, no secret
    offenders: list[Offender] = []
    looked_at = seen = 0
    for path in files:
        wanted, count = _wanted(lake, path, seen, chosen, offenders)
        seen += count
        looked_at += sum(map(len, wanted.values()))
        offenders.extend(_unresolved(lake, day, path, wanted))
    return verdict(
        "provenance_resolves",
        passed=not offenders,
        rows_checked=looked_at,
        summary=f"{len(offenders)} of {looked_at} records do not resolve to their row"
        if offenders
        else f"{looked_at} records resolve to their row",
        offenders=offenders,
        input_sha256=data_hash(manifest.outputs),
        code_version=VERSION,
        checked_at=checked_at,
    )


Wanted = dict[tuple[str, int], list[tuple[int, str]]]
"""From a row's place to the records that name it: their line and the signature they claim."""


def _wanted(
    lake: Lake, path: Path, before: int, chosen: set[int] | None, offenders: list[Offender]
) -> tuple[Wanted, int]:
    wanted: Wanted = defaultdict(list)
    decode = msgspec.json.Decoder(_Placed).decode
    count = 0
    with path.open("rb", buffering=1 << 18) as file:
        for number, line in enumerate(file, start=1):
            count = number
            if chosen is not None and before + number - 1 not in chosen:
                continue
            try:
                place = decode(line).provenance
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                offenders.append(_offender(lake, path, number, f"the line is no evidence record ({error})"))
                continue
            wanted[place.source_file.removeprefix("data/"), place.line_offset].append((number, place.sig_hash))
    return wanted, count


def _unresolved(lake: Lake, day: str, path: Path, wanted: Wanted) -> Iterator[Offender]:
    """Read the rows of the day once and give the records whose row says something else, or is not there."""
    index = load(lake, path.stem)
    claims = {
        place: [(number, sig, "the row is not among the day's rows") for number, sig in held]
        for place, held in wanted.items()
    }
    for segment in index.segments(day):
        try:
            for offset, line in read_segment(lake, segment):
                held = claims.get((segment.source_file, offset))
                if held is None:
                    continue
                try:
                    found = canonical.sig_hash(line)
                except canonical.NotJson:
                    found = ""
                # A rotated file and its successor share a name, so a claim stands until one of their rows meets it.
                left = [
                    (n, sig, f"the row hashes to {found[:16] or 'nothing'}…, the record says {sig[:16]}…")
                    for n, sig, _ in held
                    if sig != found
                ]
                if left:
                    claims[segment.source_file, offset] = left
                else:
                    del claims[segment.source_file, offset]
        except (StreamRewritten, OSError) as error:
            yield _offender(lake, path, 0, str(error))
    for (source_file, offset), held in claims.items():
        for number, _, why in held:
            yield {**_offender(lake, path, number, why), "source": f"{source_file}:{offset + 1}"}


def receipt_balances(lake: Lake, asset: str, day: str, checked_at: str) -> Verdict:
    """Hold a day's manifest against itself and the disk: in = out + skipped + quarantined, and each file as written."""
    manifest = _manifest(lake, asset, day)
    offenders: list[Offender] = []
    skipped = sum(manifest.skip_reasons.values())
    accounted = manifest.records_out + skipped + manifest.records_quarantined
    if manifest.records_in != accounted:
        why = f"{manifest.records_in} in, but {manifest.records_out} out + {skipped} skipped + "
        why += f"{manifest.records_quarantined} quarantined = {accounted}"
        offenders.append({"file": lake.relative(lake.manifest(manifest.stage, day)), "line": 0, "why": why})
    refs = manifest.outputs
    paths = [lake.root / ref.path for ref in refs]
    hashes = engine.run(
        _hash, paths, lambda path: path.stat().st_size if path.exists() else 0, workers=lake.settings.workers
    )
    for ref, found in zip(refs, hashes, strict=True):
        if found != ref.sha256:
            why = (
                "the file is gone" if found is None else f"the file changed after it was written (sha256 {found[:16]}…)"
            )
            offenders.append({"file": ref.path, "line": 0, "why": why})
    return verdict(
        "receipt_balances",
        passed=not offenders,
        rows_checked=manifest.records_in,
        summary=offenders[0]["why"] if offenders else f"{manifest.records_in} rows accounted for in {len(refs)} files",
        offenders=offenders,
        input_sha256=data_hash(refs),
        code_version=VERSION,
        checked_at=checked_at,
    )


def _hash(path: Path) -> str | None:
    return sha256_of(path) if path.exists() else None


def one_verdict_each(lake: Lake, day: str, checked_at: str) -> Verdict:
    """Match evidence and scored runs one to one and in order: same row, same run, one known category, a reason.

    A verdict that is missing, stands twice or is on nothing is named alone: the lines after it are matched by their place.
    """
    manifest = _manifest(lake, "scored_runs", day)
    names = sorted({path.stem for folder in (lake.evidence(day), lake.scored(day)) for path in folder.glob("*.jsonl")})
    tasks = [(lake, day, name) for name in names]
    found = engine.run(_match, tasks, _match_size, workers=lake.settings.workers)
    offenders = [offender for _, held in found for offender in held]
    rows = sum(count for count, _ in found)
    return verdict(
        "one_verdict_each",
        passed=not offenders,
        rows_checked=rows,
        summary=f"{len(offenders)} of {rows} evidence records lack their one verdict"
        if offenders
        else f"{rows} evidence records, one verdict each",
        offenders=offenders,
        input_sha256=data_hash(manifest.outputs),
        code_version=VERSION,
        checked_at=checked_at,
    )


def _match_size(task: tuple[Lake, str, str]) -> int:
    lake, day, name = task
    path = lake.evidence(day, name)
    return path.stat().st_size if path.exists() else 0


def _match(task: tuple[Lake, str, str]) -> tuple[int, list[Offender]]:
    lake, day, name = task
    evidence, scored = lake.evidence(day, name), lake.scored(day, name)
    offenders: list[Offender] = []
    count, last = 0, None
    for line, record, scored_line, judged in paired(
        decoded(evidence, _Named), decoded(scored, _Judged), _place, _place
    ):
        count += 1
        why = _mismatch(record, judged, last)
        if why is not None and len(offenders) < 100:
            blamed = (evidence, line) if judged is None or isinstance(record, Exception) else (scored, scored_line)
            offenders.append(_offender(lake, *blamed, why))
        if record is not None and not isinstance(record, Exception):
            last = _place(record)
    return count, offenders


def _place(record: _Named | _Judged) -> _Place:
    found = record.provenance
    return found.source_file, found.line_offset, found.sig_hash


def _mismatch(record: _Named | Exception | None, judged: _Judged | Exception | None, last: _Place | None) -> str | None:
    if isinstance(record, Exception) or isinstance(judged, Exception):
        return "the line does not decode"
    if record is None:
        if judged is not None and _place(judged) == last:
            return "a second verdict on the evidence before"
        return "a verdict without evidence"
    if judged is None:
        return "evidence without a verdict"
    one, other = record.provenance, judged.provenance
    if _place(record) != _place(judged):
        told = f"the verdict is on {other.source_file}:{other.line_offset + 1}"
        if (one.source_file, one.line_offset) == (other.source_file, other.line_offset):
            return f"{told}, as another row than the evidence has it"
        return f"{told}, not on {one.source_file}:{one.line_offset + 1}"
    if (record.run_id, record.task_id) != (judged.evidence_run_id, judged.evidence_task_id):
        return f"the verdict names run {judged.evidence_run_id!r}, the evidence {record.run_id!r}"
    if judged.category not in CATEGORIES:
        return "its category is none of the four"
    return None if judged.reasons else "the verdict gives no reason"


def _offender(lake: Lake, path: Path, line: int, why: str) -> Offender:
    return {"file": lake.relative(path), "line": line, "why": why}


def _manifest(lake: Lake, asset: str, day: str) -> DayManifest:
    manifest = read_manifest(lake, STAGE_OF[asset], day)
    if manifest is None:
        raise RecordError(
            f"{asset} of {day} was never made", where=str(lake.root), mend=f"run `lakehouse distill --day {day}`"
        )
    return manifest
