"""The gates on verdicts: Python and SQL say the same of every record, and the rules of today say what was stored.

Here: comparing, and what differences mean. Not here: the rules in Python (`lakehouse.scoring`), the same in SQL
(`lakehouse.second_scorer`), scoring again (`lakehouse.drift.rescoring`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import msgspec

from lakehouse import engine
from lakehouse.chain import collect, score
from lakehouse.chain.manifests import data_hash, manifest_days, read_manifest
from lakehouse.drift.rescoring import Cell, Moved, Rescored, rescore
from lakehouse.errors import RecordError, UsageError
from lakehouse.gates.pairing import paired
from lakehouse.gates.verdicts import MOST_OFFENDERS, verdict
from lakehouse.jsonl import decoded
from lakehouse.lake import Lake
from lakehouse.overrides import read_overrides
from lakehouse.records import DayManifest, EvidenceRecord, OverrideRow, Provenance, Verdict
from lakehouse.scoring import SCORER_VERSION
from lakehouse.second_scorer import Judged, prepare
from lakehouse.second_scorer import score as in_sql
from lakehouse.sql import connect

VERSION = "scorers-1"
NOTHING = "nothing"
"""What a side says where it has no verdict."""
Offender = dict[str, Any]


class _Scored(msgspec.Struct, gc=False):
    """The verdict of a scored run, and on which record it is."""

    category: str
    evidence_run_id: str
    provenance: Provenance


class _Share(NamedTuple):
    """Some streams of a day, compared one after the other in one process."""

    lake: Lake
    day: str
    streams: tuple[str, ...]
    overrides: Mapping[str, OverrideRow]


class _Compared(NamedTuple):
    """What comparing one stream found: records, disagreements as (Python, SQL), and the first offenders."""

    stream: str
    rows: int
    disagreements: Counter[tuple[str, str]]
    offenders: list[Offender]


def scorer_parity(lake: Lake, day: str, checked_at: str) -> Verdict:
    """Score every evidence record of the day in SQL and compare with the category of its scored run.

    People's verdicts count as the log has them now. A scored run that says something else, is missing, or is on another
    record than the evidence in its place is an offender; so is a file that cannot be read. A day without evidence and
    scored runs passes with nothing checked. Raises `RecordError` where the day was never scored.
    """
    manifest = _manifest(lake, day)
    found = [
        one for share in engine.run(_compare, _shares(lake, day), _size, workers=lake.settings.workers) for one in share
    ]
    rows = sum(one.rows for one in found)
    wrong = sum(one.disagreements.total() for one in found)
    if wrong:
        summary = f"{wrong} of {rows} verdicts are not what SQL says of the evidence"
    else:
        summary = (
            f"{rows} verdicts, in Python as in SQL" if rows else "the day has no evidence, so nothing was compared"
        )
    return verdict(
        "scorer_parity",
        passed=not wrong,
        rows_checked=rows,
        summary=summary,
        offenders=[offender for one in found for offender in one.offenders],
        tables=_parity_tables(found) if found else None,
        input_sha256=data_hash(manifest.outputs),
        code_version=VERSION,
        checked_at=checked_at,
    )


def scorer_drift(lake: Lake, day: str, checked_at: str) -> Verdict:
    """Score the day again, and the newest scored day before it, with the rules of this code: which verdicts change?

    A change under the version of now is an error: a rule changed and its version did not. (The day itself was just
    scored by these rules, so it is the day before that shows it.) Changes under another version warn. Lines that cannot
    be scored again are an error. Days without rows pass with nothing checked. Raises `RecordError` where the day was never
    scored.
    """
    manifest = _manifest(lake, day)
    before = _before(lake, day)
    found = rescore(lake, [day] if before is None else [before, day])
    bad = sum(rows for cell, rows in found.matrix.items() if _unversioned(cell))
    changed = sum(rows for cell, rows in found.matrix.items() if cell.changed)
    named = sorted(found.moved, key=lambda row: not _unversioned(row.cell))
    return verdict(
        "scorer_drift",
        passed=not changed and not found.faults,
        severity="ERROR" if bad or found.faults else "WARN",
        rows_checked=found.rows,
        summary=_drift_summary(found, day, before, changed, bad),
        offenders=[*(fault._asdict() for fault in found.faults), *map(_moved_offender, named)],
        tables={"changes": found.table()} if found.rows else None,
        input_sha256=data_hash(manifest.outputs),
        code_version=VERSION,
        checked_at=checked_at,
    )


def _manifest(lake: Lake, day: str) -> DayManifest:
    manifest = read_manifest(lake, score.STAGE, day)
    if manifest is None:
        raise RecordError(
            f"scored_runs of {day} was never made", where=str(lake.root), mend=f"run `lakehouse distill --day {day}`"
        )
    return manifest


def _shares(lake: Lake, day: str) -> list[_Share]:
    """Cut a day into its streams; a small one stays whole, for each share opens its own database."""
    names = sorted(
        {path.stem for folder in (lake.evidence(day), lake.scored(day)) for path in folder.glob("[!.]*.jsonl")}
    )
    overrides, _ = read_overrides(lake)
    whole = _Share(lake, day, tuple(names), overrides)
    if not names or _size(whole) < engine.WORTH_A_PROCESS:
        return [whole] if names else []
    return [whole._replace(streams=(name,)) for name in names]


def _size(share: _Share) -> int:
    paths = (share.lake.evidence(share.day, name) for name in share.streams)
    return sum(path.stat().st_size for path in paths if path.exists())


def _compare(share: _Share) -> list[_Compared]:
    with closing(connect(share.lake)) as connection:
        prepare(connection)
        return [_compare_stream(connection, share, name) for name in share.streams]


def _compare_stream(connection: Any, share: _Share, name: str) -> _Compared:
    lake, evidence, scored = share.lake, share.lake.evidence(share.day, name), share.lake.scored(share.day, name)
    found = _Compared(name, 0, Counter(), [])
    rows = 0
    stream = lake.streams.get(name)
    declared = stream.scorer if stream else None
    judged = in_sql(connection, evidence, name, declared, share.overrides) if evidence.exists() else iter(())
    try:
        for line, sql, number, python in paired(judged, decoded(scored, _Scored), lambda one: one[:3], _place):
            rows += sql is not None
            difference = _difference(sql, python)
            if difference is None:
                continue
            found.disagreements[difference[:2]] += 1
            if len(found.offenders) < MOST_OFFENDERS:
                why = difference[2]
                if sql is not None and sql.sig_hash in share.overrides:
                    why += "; a person decided on it"
                blamed = (evidence, line) if python is None else (scored, number)
                found.offenders.append({"file": lake.relative(blamed[0]), "line": blamed[1], "why": why})
    except (duckdb.Error, OSError) as error:
        found.disagreements[NOTHING, "unreadable"] += 1
        found.offenders.insert(0, _unreadable(lake, evidence, error))
    except UsageError as error:
        found.disagreements[NOTHING, "no rule"] += 1
        found.offenders.insert(0, {"file": lake.relative(evidence), "line": 0, "why": error.what})
    return found._replace(rows=rows)


def _place(one: _Scored) -> tuple[str, int, str]:
    return one.provenance.source_file, one.provenance.line_offset, one.provenance.sig_hash


def _row(file: str | None, offset: int | None) -> str:
    """Name a raw row by its line, from 1."""
    return f"{file}:{'?' if offset is None else offset + 1}"


def _difference(sql: Judged | None, python: _Scored | Exception | None) -> tuple[str, str, str] | None:
    """Say what Python says, what SQL says and how they differ; `None` where they agree."""
    if isinstance(python, Exception):
        return "unreadable", sql.category if sql else NOTHING, f"the line is no scored run ({type(python).__name__})"
    if python is None:
        assert sql is not None, "one of the two goes on"
        why = f"Python says nothing, SQL says {sql.category} of {_row(sql.source_file, sql.line_offset)}"
        return NOTHING, sql.category, why
    place = python.provenance
    if sql is None:
        why = f"Python says {python.category} of {_row(place.source_file, place.line_offset)}, SQL finds no evidence for it"
        return python.category, NOTHING, why
    if (place.source_file, place.line_offset, place.sig_hash) != (sql.source_file, sql.line_offset, sql.sig_hash):
        why = f"the verdict is on {_row(place.source_file, place.line_offset)} ({place.sig_hash[:16]}…), the evidence in its "
        why += f"place is {_row(sql.source_file, sql.line_offset)} ({(sql.sig_hash or '')[:16]}…)"
        return python.category, "another record", why
    if python.category == sql.category:
        return None
    why = f"Python says {python.category}, SQL says {sql.category} of {_row(place.source_file, place.line_offset)}"
    return python.category, sql.category, why


def _unreadable(lake: Lake, path: Path, error: Exception) -> Offender:
    """Name the first line that is no evidence; what DuckDB says is left out, for it quotes the line."""
    bad = (number for number, one in enumerate(decoded(path, EvidenceRecord), start=1) if isinstance(one, Exception))
    why = (
        "a line is longer than SQL reads" if "maximum_object_size" in str(error) else "SQL cannot read this as evidence"
    )
    line = 0 if isinstance(error, OSError) else next(bad, 0)
    return {"file": lake.relative(path), "line": line, "why": f"{why} ({type(error).__name__})"}


def _parity_tables(found: list[_Compared]) -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = {
        "streams": [{"stream": one.stream, "rows": one.rows, "differ": one.disagreements.total()} for one in found]
    }
    differ = [
        {"stream": one.stream, "python": python, "sql": sql, "rows": rows}
        for one in found
        for (python, sql), rows in sorted(one.disagreements.items())
    ]
    return {"disagreements": differ, **tables} if differ else tables


def _before(lake: Lake, day: str) -> str | None:
    """Give the newest scored day before a day that has rows and whose evidence is still the one that was scored."""
    for other in reversed(manifest_days(lake, score.STAGE)):
        if other < day:
            scored, evidence = read_manifest(lake, score.STAGE, other), read_manifest(lake, collect.STAGE, other)
            if scored is None or evidence is None or not scored.records_out:
                continue
            now = [ref for ref in evidence.outputs if ref.path.startswith("evidence/")]
            if data_hash(now) == data_hash(scored.inputs):
                return other
    return None


def _unversioned(cell: Cell) -> bool:
    return cell.changed and cell.scorer_version == SCORER_VERSION


def _moved_offender(moved: Moved) -> Offender:
    stored, now, version = moved.cell
    if _unversioned(moved.cell):
        why = f"{stored} as stored, {now} by the rules of now, and both are {version}"
    else:
        why = f"{stored} as stored by {version}, {now} by {SCORER_VERSION}"
    return {"file": moved.file, "line": moved.line, "why": why}


def _drift_summary(found: Rescored, day: str, before: str | None, changed: int, bad: int) -> str:
    days = day if before is None else f"{before} and {day}"
    if found.faults:
        return f"lines of {days} cannot be scored again, the first is {found.faults[0].file}:{found.faults[0].line}"
    if not found.rows:
        return f"there are no verdicts on {days} to score again"
    if bad:
        return f"{bad} of {found.rows} verdicts on {days} are others now, though the version is still {SCORER_VERSION}"
    if changed:
        return f"{changed} of {found.rows} verdicts on {days}, of an earlier version, are others by {SCORER_VERSION}"
    return f"{found.rows} verdicts on {days} are the same when scored again"
